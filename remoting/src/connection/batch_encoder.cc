#include "connection/batch_encoder.h"

#include <utility>

#include "connection/wire_convert.h"

namespace quern::remoting {
namespace {

// Field numbers of wire.proto.
constexpr uint8_t kViewVersionField = 1;
constexpr uint8_t kFirstSequenceField = 2;
constexpr uint8_t kTypesField = 3;
constexpr uint8_t kUserMessagesField = 4;
constexpr uint8_t kRepliesField = 3;
constexpr uint8_t kSystemMessagesField = 3;

void PutVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void PutVarintField(uint8_t field, uint64_t value, std::string* out) {
  out->push_back(static_cast<char>(field << 3));
  PutVarint(value, out);
}

template <typename Item>
void PutMessageField(uint8_t field, const Item& item, size_t item_bytes, std::string* out) {
  out->push_back(static_cast<char>(field << 3 | 2));
  PutVarint(item_bytes, out);
  const size_t begin = out->size();
  out->resize(begin + item_bytes);
  item.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(out->data() + begin));
}

}  // namespace

uint64_t& BatchEncoder::NextSequence(FrameType type) {
  return sequences_[static_cast<size_t>(type) - static_cast<size_t>(FrameType::kUserBatch)];
}

void BatchEncoder::BeginBatch(FrameType type) {
  if (frame_open_) EndBatch();
  frame_begin_ = BeginFrame(&out_);
  frame_open_ = true;
  frame_type_ = type;
  PutVarintField(kViewVersionField, view_version_, &out_);
  PutVarintField(kFirstSequenceField, NextSequence(type), &out_);
}

void BatchEncoder::EndBatch() {
  EndFrame(frame_begin_, frame_type_, lane_, &out_);
  frame_open_ = false;
  ++frames_;
}

std::string BatchEncoder::Take() {
  if (frame_open_) EndBatch();
  return std::exchange(out_, std::string());
}

// `declare`, when set, is the name of a type that goes out for the first time.
template <typename Item>
Status BatchEncoder::Append(FrameType type, uint8_t field, const Item& item,
                            const std::string* declare) {
  constexpr size_t kOverhead = 64 + limits::kTypeNameBytesMax;  // header, tags, a declaration
  const size_t bytes = item.ByteSizeLong();
  if (bytes + kOverhead > frame_bytes_max_) {
    return WithReason(
        absl::InvalidArgumentError(std::to_string(bytes) + " bytes do not fit a frame of " +
                                   std::to_string(frame_bytes_max_)),
        Reason::kMessageTooLarge);
  }
  const size_t so_far = frame_open_ ? out_.size() - frame_begin_ : 0;
  if (!frame_open_ || frame_type_ != type || so_far >= limits::kBatchBytesSoft ||
      so_far + bytes + kOverhead > frame_bytes_max_) {
    BeginBatch(type);
  }
  if (declare != nullptr) DeclareType(*declare);
  PutMessageField(field, item, bytes, &out_);
  ++NextSequence(type);
  return absl::OkStatus();
}

void BatchEncoder::DeclareType(const std::string& name) {
  const auto id = static_cast<uint32_t>(types_.size() + 1);
  types_.emplace(name, id);
  wire::v1::TypeDeclaration declaration;
  declaration.set_id(id);
  declaration.set_name(name);
  PutMessageField(kTypesField, declaration, declaration.ByteSizeLong(), &out_);
}

Status BatchEncoder::AddUser(uint64_t request_id, UserMessage* message, Time now) {
  const auto found = types_.find(message->type_name);
  const bool is_new = found == types_.end();
  if (is_new && types_.size() >= limits::kTypesMax) {
    return absl::ResourceExhaustedError("no room for another message type: " + message->type_name);
  }
  user_.Clear();
  user_.set_request_id(request_id);
  user_.set_type(is_new ? static_cast<uint32_t>(types_.size() + 1) : found->second);
  ToWire(message, now, &user_);
  return Append(FrameType::kUserBatch, kUserMessagesField, user_,
                is_new ? &message->type_name : nullptr);
}

Status BatchEncoder::AddReply(uint64_t request_id, UserReply* reply) {
  reply_.Clear();
  reply_.set_request_id(request_id);
  ToWire(reply, &reply_);
  return Append(FrameType::kReplyBatch, kRepliesField, reply_, nullptr);
}

Status BatchEncoder::AddSystem(uint64_t request_id, SystemBody* body, Time deadline, Time now) {
  system_.Clear();
  system_.set_request_id(request_id);
  system_.set_type(std::move(body->type));
  system_.mutable_body()->swap(body->bytes);
  system_.set_deadline_remaining_us(RemainingMicros(deadline, now));
  return Append(FrameType::kSystemBatch, kSystemMessagesField, system_, nullptr);
}

Status BatchEncoder::AddSystemReply(uint64_t request_id, StatusOr<SystemBody>* reply) {
  system_.Clear();
  system_.set_request_id(request_id);
  system_.set_is_reply(true);
  if (reply->ok()) {
    system_.set_type(std::move((*reply)->type));
    system_.mutable_body()->swap((*reply)->bytes);
  } else {
    ToWire(reply->status(), system_.mutable_status());
  }
  return Append(FrameType::kSystemBatch, kSystemMessagesField, system_, nullptr);
}

}  // namespace quern::remoting
