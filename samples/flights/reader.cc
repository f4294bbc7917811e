#include "flights/reader.h"

#include <utility>

#include "flights/this_node.h"

namespace flights {

Reader::Reader(v1::ReaderArguments arguments)
    : ask_timeout_(std::chrono::milliseconds(arguments.ask_timeout_ms())),
      work_(std::move(arguments)) {}

quern::StatusOr<v1::Started> Reader::On(const v1::Start&) {
  if (quern::Status opened = work_.Open(); !opened.ok()) return opened;
  ReadOnIfWanted();
  v1::Started started;
  started.set_node(ThisNode());
  return started;
}

v1::Released Reader::On(const v1::Release&, quern::Context& context) {
  work_.Release();
  Send(context);
  return {};
}

v1::Progress Reader::On(const v1::GetProgress&) { return work_.progress(); }

void Reader::On(const v1::ReadOn&, quern::Context& context) {
  reading_ = false;
  if (work_.wants_to_read()) work_.ReadSome();
  Send(context);
  ReadOnIfWanted();
}

void Reader::On(const v1::Delivered& delivered, quern::Context& context) {
  work_.OnDelivered(delivered);
  Send(context);
  ReadOnIfWanted();
}

void Reader::On(const v1::SentAgain& again) { work_.OnSentAgain(again); }

void Reader::Send(quern::Context& context) {
  for (Parcel& parcel : work_.TakeSendable()) {
    quern::Ref<CourierApi>& courier = couriers_[parcel.airport];
    if (!courier) {
      auto spawned = context.Spawn<Courier>(
          parcel.airport, Courier::Route{.airport = parcel.airport,
                                         .grain = context.Grain<AirportApi>(parcel.airport),
                                         .reader = Self(),
                                         .ask_timeout = ask_timeout_});
      if (!spawned.ok()) return;  // this reader is being stopped
      courier = *std::move(spawned);
    }
    courier.Tell(std::move(parcel.batch));
  }
}

void Reader::ReadOnIfWanted() {
  if (reading_ || !work_.wants_to_read()) return;
  reading_ = true;
  Self().Tell(v1::ReadOn());
}

}  // namespace flights
