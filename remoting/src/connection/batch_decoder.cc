#include "connection/batch_decoder.h"

#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "connection/wire_convert.h"

namespace quern::remoting {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t Varint(uint32_t field) { return field << 3; }
constexpr uint32_t Bytes(uint32_t field) { return field << 3 | 2; }

constexpr uint32_t kViewVersionTag = Varint(1);
constexpr uint32_t kFirstSequenceTag = Varint(2);
constexpr uint32_t kTypesTag = Bytes(3);  // of a UserBatch
constexpr uint32_t kUserMessagesTag = Bytes(4);
constexpr uint32_t kRepliesTag = Bytes(3);

// A repeated field of empty items costs two bytes on the wire and thirty here, so a large message
// is counted before it is parsed.
constexpr size_t kCountAbove = 4096;
constexpr int kFieldsMax = 512;

CodedInputStream Over(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

// A length-delimited field, without a copy.
bool ReadBytes(CodedInputStream* in, std::string_view* out) {
  uint32_t length = 0;
  const void* data = nullptr;
  int available = 0;
  if (!in->ReadVarint32(&length)) return false;
  if (length == 0) {
    *out = {};
    return true;
  }
  in->GetDirectBufferPointerInline(&data, &available);
  if (data == nullptr || length > static_cast<uint32_t>(available)) return false;
  *out = std::string_view(static_cast<const char*>(data), length);
  return in->Skip(static_cast<int>(length));
}

bool HasFewFields(std::string_view bytes) {
  CodedInputStream in = Over(bytes);
  for (int fields = 0; fields <= kFieldsMax; ++fields) {
    const uint32_t tag = in.ReadTag();
    if (tag == 0) return in.ConsumedEntireMessage();
    if (!WireFormatLite::SkipField(&in, tag)) return false;
  }
  return false;
}

template <typename Message>
bool Parse(std::string_view bytes, Message* out) {
  if (bytes.size() > kCountAbove && !HasFewFields(bytes)) return false;
  return out->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

struct BatchDecoder::Batch {
  FrameType type;
  Time now;
  BatchSink& sink;
  uint64_t view_version = 0;
  uint64_t first_sequence = 0;
  bool begun = false;
  bool forward = false;  // a message that is not a reply has been met
  bool stopped = false;  // the sink closed the connection
};

CloseReason BatchDecoder::Read(FrameType type, std::string_view body, Time now, BatchSink& sink) {
  Batch batch{.type = type, .now = now, .sink = sink};
  CodedInputStream in = Over(body);
  while (const uint32_t tag = in.ReadTag()) {
    bool ok = true;
    CloseReason reason = CloseReason::kNone;
    std::string_view bytes;
    if (tag == kViewVersionTag && !batch.begun) {
      ok = in.ReadVarint64(&batch.view_version);
    } else if (tag == kFirstSequenceTag && !batch.begun) {
      ok = in.ReadVarint64(&batch.first_sequence);
    } else if (type == FrameType::kUserBatch && tag == kTypesTag) {
      ok = ReadBytes(&in, &bytes);
      if (ok && !batch.begun) reason = Begin(&batch);
      if (ok && reason == CloseReason::kNone) reason = ReadDeclaration(bytes);
    } else if (tag == (type == FrameType::kUserBatch ? kUserMessagesTag : kRepliesTag)) {
      ok = ReadBytes(&in, &bytes);
      if (ok && !batch.begun) reason = Begin(&batch);
      if (ok && reason == CloseReason::kNone) reason = ReadItem(&batch, bytes);
    } else {
      ok = WireFormatLite::SkipField(&in, tag);
    }
    if (!ok) return CloseReason::kMalformedFrame;
    if (reason != CloseReason::kNone || batch.stopped) return reason;
  }
  if (!in.ConsumedEntireMessage()) return CloseReason::kMalformedFrame;
  return batch.begun ? CloseReason::kNone : Begin(&batch);
}

CloseReason BatchDecoder::Begin(Batch* batch) {
  batch->begun = true;
  uint64_t& next =
      sequences_[static_cast<size_t>(batch->type) - static_cast<size_t>(FrameType::kUserBatch)];
  if (batch->first_sequence != next) return CloseReason::kUnexpectedFrame;
  batch->sink.OnBatch(batch->view_version);
  return CloseReason::kNone;
}

CloseReason BatchDecoder::BeginForward(Batch* batch) {
  if (batch->forward) return CloseReason::kNone;
  batch->forward = true;
  return batch->sink.OnForward();
}

CloseReason BatchDecoder::ReadDeclaration(std::string_view bytes) {
  wire::v1::TypeDeclaration declaration;
  if (!declaration.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !IsName(declaration.name(), limits::kTypeNameBytesMax) ||
      declaration.id() != types_.size() + 1) {
    return CloseReason::kMalformedFrame;
  }
  if (types_.size() >= limits::kTypesMax) return CloseReason::kLimit;
  types_.push_back(std::move(*declaration.mutable_name()));
  return CloseReason::kNone;
}

CloseReason BatchDecoder::ReadItem(Batch* batch, std::string_view bytes) {
  ++sequences_[static_cast<size_t>(batch->type) - static_cast<size_t>(FrameType::kUserBatch)];
  switch (batch->type) {
    case FrameType::kUserBatch:
      return ReadUser(batch, bytes);
    case FrameType::kReplyBatch:
      return ReadReply(batch, bytes);
    default:
      return ReadSystem(batch, bytes);
  }
}

CloseReason BatchDecoder::ReadUser(Batch* batch, std::string_view bytes) {
  if (const CloseReason reason = BeginForward(batch); reason != CloseReason::kNone) return reason;
  if (!Parse(bytes, &user_)) return CloseReason::kMalformedFrame;
  if (user_.type() == 0 || user_.type() > types_.size()) return CloseReason::kMalformedFrame;
  UserMessage message;
  message.type_name = types_[user_.type() - 1];
  if (!FromWire(&user_, batch->now, &message).ok()) return CloseReason::kMalformedFrame;
  batch->stopped = !batch->sink.OnUser(user_.request_id(), std::move(message));
  return CloseReason::kNone;
}

CloseReason BatchDecoder::ReadReply(Batch* batch, std::string_view bytes) {
  UserReply reply;
  if (!Parse(bytes, &reply_) || !FromWire(&reply_, &reply).ok()) {
    return CloseReason::kMalformedFrame;
  }
  batch->stopped = !batch->sink.OnReply(reply_.request_id(), std::move(reply));
  return CloseReason::kNone;
}

CloseReason BatchDecoder::ReadSystem(Batch* batch, std::string_view bytes) {
  if (!Parse(bytes, &system_)) return CloseReason::kMalformedFrame;
  const uint64_t id = system_.request_id();
  if (system_.is_reply() && system_.has_status()) {
    batch->stopped = !batch->sink.OnSystemReply(id, StatusFromWire(system_.status()));
    return CloseReason::kNone;
  }
  SystemBody body;
  body.type = std::move(*system_.mutable_type());
  body.bytes.swap(*system_.mutable_body());
  if (!CheckSystemBody(body).ok()) return CloseReason::kMalformedFrame;
  if (system_.is_reply()) {
    batch->stopped = !batch->sink.OnSystemReply(id, std::move(body));
  } else {
    if (const CloseReason reason = BeginForward(batch); reason != CloseReason::kNone) return reason;
    const Time deadline = DeadlineFromMicros(system_.deadline_remaining_us(), batch->now);
    batch->stopped = !batch->sink.OnSystem(id, std::move(body), deadline);
  }
  return CloseReason::kNone;
}

}  // namespace quern::remoting
