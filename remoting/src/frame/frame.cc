#include "frame/frame.h"

#include <algorithm>

namespace quern::remoting {
namespace {

// A buffer that once held a large frame is given back rather than kept for the next small one.
constexpr size_t kHeldBytesKept = 64u << 10;

void PutLittleEndian(uint64_t value, size_t width, char* out) {
  for (size_t i = 0; i < width; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

uint64_t GetLittleEndian(const char* in, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(in[i]);
  return value;
}

bool IsIgnorable(const FrameHeader& header) {
  return !IsKnownFrameType(header.type) && (header.flags & kFlagIgnorable) != 0;
}

}  // namespace

bool IsKnownFrameType(FrameType type) {
  return type >= FrameType::kHello && type <= FrameType::kPong;
}

size_t BeginFrame(std::string* out) {
  const size_t begin = out->size();
  out->append(kFrameHeaderBytes, '\0');
  return begin;
}

void EndFrame(size_t begin, FrameType type, uint16_t lane, std::string* out) {
  char* header = out->data() + begin;
  PutLittleEndian(out->size() - begin, 4, header);
  header[4] = static_cast<char>(type);
  header[5] = 0;
  PutLittleEndian(lane, 2, header + 6);
}

FrameHeader ReadFrameHeader(std::string_view bytes) {
  FrameHeader header;
  header.bytes = static_cast<uint32_t>(GetLittleEndian(bytes.data(), 4));
  header.type = static_cast<FrameType>(bytes[4]);
  header.flags = static_cast<uint8_t>(bytes[5]);
  header.lane = static_cast<uint16_t>(GetLittleEndian(bytes.data() + 6, 2));
  return header;
}

CloseReason FrameDecoder::CheckHeader(const FrameHeader& header, FrameSink& sink) const {
  if (const CloseReason reason = sink.OnFrameHeader(header); reason != CloseReason::kNone) {
    return reason;
  }
  if (header.bytes < kFrameHeaderBytes) return CloseReason::kMalformedFrame;
  if (header.bytes > frame_bytes_max_) return CloseReason::kFrameTooLarge;
  if (IsIgnorable(header)) return CloseReason::kNone;
  if ((header.flags & ~kFlagIgnorable) != 0) return CloseReason::kMalformedFrame;
  return IsKnownFrameType(header.type) ? CloseReason::kNone : CloseReason::kUnexpectedFrame;
}

CloseReason FrameDecoder::Feed(std::string_view bytes, FrameSink& sink) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const size_t skipped = std::min<size_t>(skip_, bytes.size());
      skip_ -= static_cast<uint32_t>(skipped);
      bytes.remove_prefix(skipped);
      if (skip_ == 0) ++frames_;
      continue;
    }
    const bool whole_header = held_.empty() && bytes.size() >= kFrameHeaderBytes;
    const CloseReason reason = whole_header ? FeedWhole(&bytes, sink) : FeedHeld(&bytes, sink);
    if (reason != CloseReason::kNone) return reason;
  }
  return CloseReason::kNone;
}

// The header lies in `bytes`: a complete frame is passed on without a copy.
CloseReason FrameDecoder::FeedWhole(std::string_view* bytes, FrameSink& sink) {
  const FrameHeader header = ReadFrameHeader(*bytes);
  if (const CloseReason reason = CheckHeader(header, sink); reason != CloseReason::kNone) {
    return reason;
  }
  if (IsIgnorable(header)) {
    skip_ = skip_bytes_ = header.bytes;
    return CloseReason::kNone;
  }
  if (bytes->size() < header.bytes) {
    held_.assign(*bytes);
    checked_ = true;
    *bytes = {};
    return CloseReason::kNone;
  }
  const std::string_view body = bytes->substr(kFrameHeaderBytes, header.bytes - kFrameHeaderBytes);
  bytes->remove_prefix(header.bytes);
  ++frames_;
  return sink.OnFrame(header, body);
}

CloseReason FrameDecoder::FeedHeld(std::string_view* bytes, FrameSink& sink) {
  const size_t wanted = checked_ ? ReadFrameHeader(held_).bytes : kFrameHeaderBytes;
  const size_t taken = std::min(wanted - held_.size(), bytes->size());
  held_.append(bytes->substr(0, taken));
  bytes->remove_prefix(taken);
  if (held_.size() < wanted) return CloseReason::kNone;

  const FrameHeader header = ReadFrameHeader(held_);
  if (!checked_) {
    if (const CloseReason reason = CheckHeader(header, sink); reason != CloseReason::kNone) {
      return reason;
    }
    if (IsIgnorable(header)) {
      skip_bytes_ = header.bytes;
      skip_ = header.bytes - static_cast<uint32_t>(kFrameHeaderBytes);
      if (skip_ == 0) ++frames_;
      ReleaseHeld();
      return CloseReason::kNone;
    }
    checked_ = true;
    if (header.bytes > kFrameHeaderBytes) return CloseReason::kNone;
  }
  ++frames_;
  const CloseReason reason =
      sink.OnFrame(header, std::string_view(held_).substr(kFrameHeaderBytes));
  ReleaseHeld();
  return reason;
}

void FrameDecoder::ReleaseHeld() {
  checked_ = false;
  if (held_.capacity() > kHeldBytesKept) {
    std::string().swap(held_);  // assignment would keep the capacity
  } else {
    held_.clear();
  }
}

}  // namespace quern::remoting
