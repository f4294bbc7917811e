// The actor that sends the flights of one half of the rows to their airports.
//
//   system.HostActor<Reader>();                                        // on every node
//   auto reader = system.In("us-west").Spawn<ReaderApi>("reader-odd", arguments);
//   reader->Ask(v1::Start());
//   reader->Ask(v1::GetProgress());                                    // as often as one likes
//
// It reads a little, hands batches to a courier an airport, and goes on when they report; so its
// mailbox is never blocked for longer than it takes to read some thousand rows.

#ifndef QUERN_SAMPLES_FLIGHTS_READER_H_
#define QUERN_SAMPLES_FLIGHTS_READER_H_

#include <map>
#include <string>

#include "flights/api.h"
#include "flights/courier.h"
#include "flights/reader_work.h"
#include "quern/runtime/actor.h"
#include "quern/runtime/context.h"

namespace flights {

class Reader : public quern::Actor<ReaderApi> {
 public:
  explicit Reader(v1::ReaderArguments arguments);

  // As ReaderWork::Open. A second one changes nothing.
  quern::StatusOr<v1::Started> On(const v1::Start&);

  v1::Released On(const v1::Release&, quern::Context& context);
  v1::Progress On(const v1::GetProgress&);

  void On(const v1::ReadOn&, quern::Context& context);
  void On(const v1::Delivered& delivered, quern::Context& context);
  void On(const v1::SentAgain& again);

 private:
  void Send(quern::Context& context);
  void ReadOnIfWanted();

  const quern::Duration ask_timeout_;
  ReaderWork work_;
  bool reading_ = false;  // a ReadOn is on its way
  std::map<std::string, quern::Ref<CourierApi>> couriers_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_READER_H_
