#include "connection/connection.h"

#include <algorithm>
#include <utility>

#include "connection/features.h"
#include "quern/remoting/limits.h"
#include "quern/wire/v1/wire.pb.h"

namespace quern::remoting {
namespace {

template <typename Body>
bool Parse(std::string_view bytes, Body* out) {
  return out->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

Connection::Connection(ConnectionOptions options, Time now)
    : options_(std::move(options)),
      actions_(*options_.actions),
      lane_(options_.lane),
      encoder_(options_.lane),
      now_(now),
      began_(now),
      last_tick_(now),
      last_heard_(now) {}

void Connection::Start() {
  if (options_.dialler && state_ == State::kHandshake) SendHello();
}

void Connection::SendHello() {
  OwnHello own{.lane = lane_,
               .generation = options_.generation,
               .expected = options_.expected,
               .nonce = options_.nonce};
  std::string frame;
  AppendHello(options_.local->identity, own, &frame);
  hello_sent_ = true;
  ++control_frames_;
  actions_.Send(std::move(frame));
}

void Connection::OnBytes(std::string_view bytes, Time now) {
  if (state_ == State::kClosed) return;
  now_ = now;
  last_heard_ = now;
  ping_outstanding_ = false;
  const CloseReason reason = decoder_.Feed(bytes, *this);
  if (reason != CloseReason::kNone) Close(reason);
}

// What may come in the present state; the bounds are checked before anything is kept.
CloseReason Connection::OnFrameHeader(const FrameHeader& header) {
  if (state_ == State::kClosed) return CloseReason::kUnexpectedFrame;
  if (!hello_received_) {
    if (header.type != FrameType::kHello && header.type != FrameType::kClose) {
      return IsKnownFrameType(header.type) ? CloseReason::kUnexpectedFrame : CloseReason::kBadMagic;
    }
    if (header.type == FrameType::kClose && !options_.dialler) return CloseReason::kUnexpectedFrame;
    if (header.bytes > limits::kHelloBytesMax) return CloseReason::kHandshakeTooLarge;
    return CloseReason::kNone;
  }
  if (header.type == FrameType::kHello || header.lane != lane_) {
    return CloseReason::kUnexpectedFrame;
  }
  const bool is_batch = header.type == FrameType::kUserBatch ||
                        header.type == FrameType::kReplyBatch ||
                        header.type == FrameType::kSystemBatch;
  if (!is_batch) {
    return header.bytes > limits::kHelloBytesMax ? CloseReason::kFrameTooLarge : CloseReason::kNone;
  }
  const bool fits =
      header.type == FrameType::kSystemBatch ? lane_ == kSystemLane : lane_ == kUserLane;
  return fits ? CloseReason::kNone : CloseReason::kUnexpectedFrame;
}

CloseReason Connection::OnFrame(const FrameHeader& header, std::string_view body) {
  switch (header.type) {
    case FrameType::kHello:
      return OnHello(body);
    case FrameType::kClose:
      OnCloseFrame(body);
      return CloseReason::kNone;
    case FrameType::kPing:
      return OnPing(body);
    case FrameType::kPong:
      return CloseReason::kNone;
    case FrameType::kUserBatch:
    case FrameType::kReplyBatch:
    case FrameType::kSystemBatch:
      break;
  }
  const CloseReason reason = batches_.Read(header.type, body, now_, actions_);
  return state_ == State::kClosed ? CloseReason::kNone : reason;
}

CloseReason Connection::OnHello(std::string_view body) {
  if (const CloseReason reason = ReadHello(body, &peer_); reason != CloseReason::kNone) {
    return reason;
  }
  CloseReason refusal = CheckHello(peer_, options_.local->identity,
                                   options_.dialler ? options_.expected : ProcessId{});
  if (options_.dialler && refusal == CloseReason::kNone && peer_.lane != lane_) {
    refusal = CloseReason::kMalformedFrame;
  }
  hello_received_ = true;
  // From another version's Hello nothing but the version is known.
  if (!options_.dialler && refusal != CloseReason::kVersion) {
    lane_ = static_cast<uint16_t>(peer_.lane);
    encoder_.set_lane(lane_);
  }
  // A dialler that meant someone else is told who we are; one that is not admitted is not.
  if (refusal != CloseReason::kNone && !hello_sent_) SendHello();
  if (refusal == CloseReason::kNone) refusal = actions_.Admit(peer_);
  if (state_ == State::kClosed || refusal != CloseReason::kNone) return refusal;
  if (!hello_sent_) SendHello();

  if (peer_.frame_bytes_max > 0) {
    encoder_.set_frame_bytes_max(std::min(peer_.frame_bytes_max, limits::kFrameBytesMax));
  }
  state_ = State::kOpen;
  actions_.OnOpen(peer_);
  return CloseReason::kNone;
}

CloseReason Connection::OnPing(std::string_view body) {
  wire::v1::Ping ping;
  if (!Parse(body, &ping)) return CloseReason::kMalformedFrame;
  wire::v1::Pong pong;
  pong.set_token(ping.token());
  SendControl(FrameType::kPong, pong);
  return CloseReason::kNone;
}

void Connection::OnCloseFrame(std::string_view body) {
  wire::v1::Close close;
  const bool parsed = Parse(body, &close);
  const bool known = parsed && close.reason() <= static_cast<uint32_t>(CloseReason::kLimit);
  state_ = State::kClosed;
  actions_.OnClosed(known ? static_cast<CloseReason>(close.reason()) : CloseReason::kNone, true);
}

template <typename Body>
void Connection::SendControl(FrameType type, const Body& body) {
  Flush();
  std::string frame;
  const size_t begin = BeginFrame(&frame);
  body.AppendToString(&frame);
  EndFrame(begin, type, lane_, &frame);
  ++control_frames_;
  actions_.Send(std::move(frame));
}

void Connection::Flush() {
  if (state_ == State::kOpen && !encoder_.empty()) actions_.Send(encoder_.Take());
}

void Connection::Close(CloseReason reason, std::string_view detail) {
  if (state_ == State::kClosed) return;
  // A stranger that has not said a proper Hello gets no answer.
  if (hello_received_) {
    wire::v1::Close close;
    close.set_reason(static_cast<uint32_t>(reason));
    close.set_detail(std::string(detail.substr(0, limits::kCloseDetailBytesMax)));
    SendControl(FrameType::kClose, close);
  }
  state_ = State::kClosed;
  actions_.OnClosed(reason, false);
}

void Connection::Tick(Time now) {
  if (state_ == State::kClosed) return;
  const Duration since_tick = now - last_tick_;
  now_ = now;
  last_tick_ = now;
  // A tick that comes late says that this process stood still, not that the peer was silent.
  if (since_tick > 2 * options_.local->tick_period) {
    last_heard_ = now;
    frame_began_ = kNever;
  }
  if (state_ == State::kHandshake || lane_ == kProbeLane) {
    if (now - began_ >= options_.local->handshake_timeout) Close(CloseReason::kHandshakeTimeout);
    return;
  }
  TickOpen(now);
}

void Connection::TickOpen(Time now) {
  if (!decoder_.in_frame()) {
    frame_began_ = kNever;
  } else if (frame_began_ == kNever || frames_at_tick_ != decoder_.frames()) {
    frame_began_ = now;
    frames_at_tick_ = decoder_.frames();
  } else if (const Duration age = now - frame_began_; age > limits::kFrameRatePatience) {
    const auto seconds = static_cast<size_t>(age / std::chrono::seconds(1));
    if (decoder_.bytes_in_frame() < seconds * limits::kFrameRateBytesMin) {
      Close(CloseReason::kLimit, "a frame came too slowly");
      return;
    }
  }
  const Duration silence = now - last_heard_;
  if (silence >= options_.local->idle_timeout) {
    Close(CloseReason::kIdle);
  } else if (silence >= options_.local->idle_ping && !ping_outstanding_) {
    ping_outstanding_ = true;
    wire::v1::Ping ping;
    ping.set_token(++ping_token_);
    SendControl(FrameType::kPing, ping);
  }
}

Status Connection::AddUser(uint64_t request_id, UserMessage* message, Time now) {
  encoder_.set_view_version(options_.local->view_version);
  return encoder_.AddUser(request_id, message, now);
}

Status Connection::AddReply(uint64_t request_id, UserReply* reply) {
  encoder_.set_view_version(options_.local->view_version);
  return encoder_.AddReply(request_id, reply);
}

Status Connection::AddSystem(uint64_t request_id, SystemBody* body, Time deadline, Time now) {
  encoder_.set_view_version(options_.local->view_version);
  return encoder_.AddSystem(request_id, body, deadline, now);
}

Status Connection::AddSystemReply(uint64_t request_id, StatusOr<SystemBody>* reply) {
  encoder_.set_view_version(options_.local->view_version);
  return encoder_.AddSystemReply(request_id, reply);
}

}  // namespace quern::remoting
