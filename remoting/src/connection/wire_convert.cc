#include "connection/wire_convert.h"

#include <algorithm>
#include <string>
#include <utility>

#include <google/protobuf/stubs/common.h>

#include "quern/remoting/limits.h"

namespace quern::remoting {
namespace {

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

Status Invalid(std::string what) { return absl::InvalidArgumentError(std::move(what)); }

// Status messages come from users' handlers: cut, and made UTF-8, so that a peer can parse them.
std::string Presentable(std::string_view text) {
  std::string cut(text.substr(0, limits::kStatusMessageBytesMax));
  if (google::protobuf::internal::IsStructurallyValidUTF8(cut)) return cut;
  for (char& c : cut) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return cut;
}

void EpochToWire(const Epoch& epoch, wire::v1::Epoch* out) {
  out->set_home_term(epoch.home_term);
  out->set_incarnation(epoch.incarnation);
  out->set_view_version(epoch.view_version);
  out->set_counter(epoch.counter);
}

Epoch EpochFromWire(const wire::v1::Epoch& wire) {
  return {.home_term = wire.home_term(),
          .incarnation = wire.incarnation(),
          .view_version = wire.view_version(),
          .counter = wire.counter()};
}

bool IsEmpty(const SenderStamp& sender) {
  return sender.actor_id == 0 && sender.grain.kind.empty() && sender.epoch.IsZero();
}

void SenderToWire(SenderStamp* sender, wire::v1::SenderStamp* out) {
  if (!sender->grain.kind.empty()) {
    out->mutable_grain()->set_kind(std::move(sender->grain.kind));
    out->mutable_grain()->set_key(std::move(sender->grain.key));
  }
  if (!sender->epoch.IsZero()) EpochToWire(sender->epoch, out->mutable_epoch());
  out->set_actor_id(sender->actor_id);
}

Status SenderFromWire(wire::v1::SenderStamp* wire, SenderStamp* out) {
  if (wire->has_grain()) {
    out->grain.kind = std::move(*wire->mutable_grain()->mutable_kind());
    out->grain.key = std::move(*wire->mutable_grain()->mutable_key());
    if (Status status = out->grain.Validate(); !status.ok()) return status;
  }
  if (wire->has_epoch()) out->epoch = EpochFromWire(wire->epoch());
  out->actor_id = wire->actor_id();
  return absl::OkStatus();
}

}  // namespace

bool IsName(std::string_view name, size_t bytes_max) {
  return !name.empty() && name.size() <= bytes_max && !std::ranges::any_of(name, IsControl) &&
         google::protobuf::internal::IsStructurallyValidUTF8(name.data(),
                                                             static_cast<int>(name.size()));
}

Status CheckUserMessage(const UserMessage& message) {
  if (message.grain.kind.empty()) {
    if (!IsName(message.actor_path, limits::kActorPathBytesMax)) {
      return Invalid("actor path: 1-512 bytes of UTF-8 without control characters");
    }
  } else if (Status status = message.grain.Validate(); !status.ok()) {
    return status;
  }
  if (!IsName(message.type_name, limits::kTypeNameBytesMax)) {
    return Invalid("type name: 1-255 bytes of UTF-8 without control characters");
  }
  if (!message.sender.grain.kind.empty()) {
    if (Status status = message.sender.grain.Validate(); !status.ok()) return status;
  }
  if (message.call_chain.size() > limits::kCallChainMax) {
    return Invalid("call chain of " + std::to_string(message.call_chain.size()) + " askers");
  }
  for (const std::string& path : message.call_chain) {
    if (!IsName(path, limits::kActorPathBytesMax)) {
      return Invalid("call chain: 1-512 bytes of UTF-8 without control characters each");
    }
  }
  if (message.body.size() > limits::kMessageBytesMax) {
    return WithReason(
        Invalid(message.type_name + " of " + std::to_string(message.body.size()) +
                " bytes: a message has at most " + std::to_string(limits::kMessageBytesMax)),
        Reason::kMessageTooLarge);
  }
  return absl::OkStatus();
}

Status CheckSystemBody(const SystemBody& body) {
  if (!IsName(body.type, limits::kTypeNameBytesMax)) {
    return Invalid("type name: 1-255 bytes of UTF-8 without control characters");
  }
  if (body.bytes.size() > limits::kMessageBytesMax) {
    return WithReason(
        Invalid(body.type + " of " + std::to_string(body.bytes.size()) +
                " bytes: a message has at most " + std::to_string(limits::kMessageBytesMax)),
        Reason::kMessageTooLarge);
  }
  return absl::OkStatus();
}

uint64_t RemainingMicros(Time deadline, Time now) {
  if (deadline == kNever) return 0;
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - now);
  return static_cast<uint64_t>(std::max<int64_t>(left.count(), 1));
}

Time DeadlineFromMicros(uint64_t micros, Time now) {
  if (micros == 0) return kNever;
  constexpr auto kMax = std::chrono::duration_cast<std::chrono::microseconds>(limits::kDeadlineMax);
  const uint64_t clamped = std::min(micros, static_cast<uint64_t>(kMax.count()));
  return now + std::chrono::microseconds(clamped);
}

void ToWire(UserMessage* message, Time now, wire::v1::UserMessage* out) {
  if (message->grain.kind.empty()) {
    out->set_actor_path(std::move(message->actor_path));
  } else {
    out->mutable_grain()->set_kind(std::move(message->grain.kind));
    out->mutable_grain()->set_key(std::move(message->grain.key));
  }
  out->mutable_body()->swap(message->body);
  out->set_deadline_remaining_us(RemainingMicros(message->deadline, now));
  if (!IsEmpty(message->sender)) SenderToWire(&message->sender, out->mutable_sender());
  if (!message->target_epoch.IsZero()) {
    EpochToWire(message->target_epoch, out->mutable_target_epoch());
  }
  for (std::string& path : message->call_chain) out->add_call_chain(std::move(path));
}

Status FromWire(wire::v1::UserMessage* wire, Time now, UserMessage* out) {
  if (wire->has_grain()) {
    out->grain.kind = std::move(*wire->mutable_grain()->mutable_kind());
    out->grain.key = std::move(*wire->mutable_grain()->mutable_key());
    // An empty kind means "not a grain" in UserMessage, and must not get here from a peer.
    if (out->grain.kind.empty()) return Invalid("grain without a kind");
  } else {
    out->actor_path = std::move(*wire->mutable_actor_path());
  }
  if (wire->compression() != wire::v1::COMPRESSION_NONE || wire->uncompressed_bytes() != 0) {
    return absl::DataLossError("compressed body: no compression was agreed on");
  }
  out->body.swap(*wire->mutable_body());
  out->deadline = DeadlineFromMicros(wire->deadline_remaining_us(), now);
  if (wire->has_sender()) {
    if (Status status = SenderFromWire(wire->mutable_sender(), &out->sender); !status.ok()) {
      return status;
    }
  }
  if (wire->has_target_epoch()) out->target_epoch = EpochFromWire(wire->target_epoch());
  for (std::string& path : *wire->mutable_call_chain()) out->call_chain.push_back(std::move(path));
  return CheckUserMessage(*out);
}

void ToWire(const Status& status, wire::v1::WireStatus* out) {
  out->set_code(static_cast<uint32_t>(status.code()));
  const absl::string_view message = status.message();
  out->set_message(Presentable({message.data(), message.size()}));
  out->set_reason(std::string(ReasonName(ReasonOf(status))));
}

Status StatusFromWire(const wire::v1::WireStatus& wire) {
  const bool known = wire.code() >= 1 && wire.code() <= 16;
  const auto code = known ? static_cast<absl::StatusCode>(wire.code()) : absl::StatusCode::kUnknown;
  return WithReason(Status(code, wire.message()), ReasonFromName(wire.reason()));
}

void ToWire(UserReply* reply, wire::v1::Reply* out) {
  if (reply->status.ok()) {
    out->mutable_body()->swap(reply->body);
  } else {
    ToWire(reply->status, out->mutable_status());
  }
  if (!IsEmpty(reply->sender)) SenderToWire(&reply->sender, out->mutable_sender());
}

Status FromWire(wire::v1::Reply* wire, UserReply* out) {
  if (wire->compression() != wire::v1::COMPRESSION_NONE || wire->uncompressed_bytes() != 0) {
    return absl::DataLossError("compressed body: no compression was agreed on");
  }
  if (wire->has_status()) out->status = StatusFromWire(wire->status());
  out->body.swap(*wire->mutable_body());
  out->from_peer = true;
  return wire->has_sender() ? SenderFromWire(wire->mutable_sender(), &out->sender)
                            : absl::OkStatus();
}

}  // namespace quern::remoting
