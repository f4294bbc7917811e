#include "quern/runtime/status.h"

#include <array>
#include <string>
#include <utility>

#include <absl/strings/cord.h>

#include "quern/runtime/delivery.h"

namespace quern {
namespace {

constexpr char kReasonPayload[] = "quern.reason";

constexpr std::array<std::pair<Reason, std::string_view>, 12> kNames{{
    {Reason::kNone, ""},
    {Reason::kAskCycle, "ask_cycle"},
    {Reason::kMessageTooLarge, "message_too_large"},
    {Reason::kStaleEpoch, "stale_epoch"},
    {Reason::kNotOwner, "not_owner"},
    {Reason::kMoved, "moved"},
    {Reason::kDcUnreachable, "dc_unreachable"},
    {Reason::kDcStale, "dc_stale"},
    {Reason::kDcDraining, "dc_draining"},
    {Reason::kStorageUnavailable, "storage_unavailable"},
    {Reason::kDenied, "denied"},
    {Reason::kCancelled, "cancelled"},
}};

}  // namespace

std::string_view ReasonName(Reason reason) {
  for (const auto& [value, name] : kNames) {
    if (value == reason) return name;
  }
  return "";
}

Reason ReasonFromName(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return Reason::kNone;
}

Status WithReason(Status status, Reason reason) {
  if (!status.ok() && reason != Reason::kNone) {
    status.SetPayload(kReasonPayload, absl::Cord(std::string(ReasonName(reason))));
  }
  return status;
}

Reason ReasonOf(const Status& status) {
  const auto payload = status.GetPayload(kReasonPayload);
  return payload.has_value() ? ReasonFromName(std::string(*payload)) : Reason::kNone;
}

std::string_view DeliveryName(Delivery delivery) {
  switch (delivery) {
    case Delivery::kAccepted:
      return "accepted";
    case Delivery::kFull:
      return "full";
    case Delivery::kStopped:
      return "stopped";
    case Delivery::kUnreachable:
      return "unreachable";
  }
  return "unknown";
}

}  // namespace quern
