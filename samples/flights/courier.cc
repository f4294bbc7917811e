#include "flights/courier.h"

#include <algorithm>
#include <utility>

#include "flights/limits.h"

namespace flights {
namespace {

int64_t Nanoseconds(quern::Time time) { return time.time_since_epoch().count(); }

}  // namespace

Courier::Courier(Route route) : route_(std::move(route)) {}

void Courier::On(const v1::Batch& batch, quern::Context& context) {
  v1::Delivered delivered;
  delivered.set_airport(route_.airport);
  delivered.set_events(static_cast<uint32_t>(batch.rows_size()));
  delivered.set_first_sent_at_ns(Nanoseconds(context.clock().Now()));
  for (quern::Duration pause = kResendPauseMin;;) {
    const quern::StatusOr<v1::Applied> applied = route_.grain.Ask(batch, route_.ask_timeout);
    if (applied.ok()) {
      delivered.set_node(applied->node());
      break;
    }
    if (!WorthSendingAgain(applied.status())) {
      delivered.set_failure(applied.status().ToString());
      break;
    }
    if (!context.Sleep(pause).ok()) return;  // being stopped
    pause = std::min<quern::Duration>(2 * pause, kResendPauseMax);
    delivered.set_resent(delivered.resent() + 1);
    v1::SentAgain again;
    again.set_airport(route_.airport);
    again.set_why(applied.status().ToString());
    route_.reader.Tell(std::move(again));
  }
  delivered.set_answered_at_ns(Nanoseconds(context.clock().Now()));
  route_.reader.Tell(std::move(delivered));
}

bool WorthSendingAgain(const quern::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return false;
    default:
      return true;
  }
}

}  // namespace flights
