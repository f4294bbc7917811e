// The frame: what a byte stream between two nodes is made of.
//
//   offset  bytes  field (little endian)
//   0       4      length of the whole frame, this header included (so never below 8)
//   4       1      type (FrameType)
//   5       1      flags: 1 compressed body (reserved: refused, nothing is negotiated yet),
//                         2 ignorable: who does not know the type skips the frame
//   6       2      lane, the same in every frame of a connection
//   8       ..     body: the message of proto/quern/wire/v1/wire.proto named after the type
//
// Within a batch the view version and the first sequence come first, and a type is declared before
// the first message that uses it; both hold for what generated code writes.
//
//   std::string out;
//   const size_t begin = BeginFrame(&out);
//   hello.AppendToString(&out);
//   EndFrame(begin, FrameType::kHello, lane, &out);
//
// Pure functions and a decoder that is fed arbitrary pieces; neither knows sockets nor time. A
// decoder belongs to one owner.

#ifndef QUERN_REMOTING_SRC_FRAME_FRAME_H_
#define QUERN_REMOTING_SRC_FRAME_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quern/remoting/limits.h"
#include "quern/remoting/network.h"

namespace quern::remoting {

enum class FrameType : uint8_t {
  kHello = 1,
  kClose = 2,
  kUserBatch = 3,
  kReplyBatch = 4,
  kSystemBatch = 5,
  kPing = 6,
  kPong = 7,
};

bool IsKnownFrameType(FrameType type);

inline constexpr uint8_t kFlagCompressed = 0x01;
inline constexpr uint8_t kFlagIgnorable = 0x02;
inline constexpr size_t kFrameHeaderBytes = 8;

struct FrameHeader {
  uint32_t bytes = 0;
  FrameType type = FrameType::kHello;
  uint8_t flags = 0;
  uint16_t lane = 0;
};

// Appends room for a header and returns where it begins.
size_t BeginFrame(std::string* out);

// Fills in the header of the frame that began at `begin` and ends where `out` does.
void EndFrame(size_t begin, FrameType type, uint16_t lane, std::string* out);

// Reads a header; `bytes` has at least kFrameHeaderBytes.
FrameHeader ReadFrameHeader(std::string_view bytes);

// Hears what a decoder finds. A result other than kNone ends the decoding with that reason.
class FrameSink {
 public:
  virtual ~FrameSink() = default;

  // Before a byte of the body is kept. Says what the present state of the connection allows.
  virtual CloseReason OnFrameHeader(const FrameHeader& header) = 0;

  // `body` is valid during the call only.
  virtual CloseReason OnFrame(const FrameHeader& header, std::string_view body) = 0;
};

// Cuts a byte stream into frames. Holds at most the frame in progress, and of that only what has
// been received: a declared length allocates nothing.
class FrameDecoder {
 public:
  explicit FrameDecoder(uint32_t frame_bytes_max = limits::kFrameBytesMax)
      : frame_bytes_max_(frame_bytes_max) {}

  // Passes every complete frame to `sink`. Anything but kNone is final: the stream cannot be read
  // on. kFrameTooLarge, kMalformedFrame, kUnexpectedFrame, or what the sink said.
  CloseReason Feed(std::string_view bytes, FrameSink& sink);

  // True when a frame has begun and not ended.
  bool in_frame() const { return !held_.empty() || skip_ > 0; }

  // Bytes of the frame in progress that have arrived, and what is allocated for them.
  size_t bytes_in_frame() const { return skip_ > 0 ? skip_bytes_ - skip_ : held_.size(); }
  size_t held_capacity() const { return held_.capacity(); }

  // Frames that ended so far.
  uint64_t frames() const { return frames_; }

 private:
  CloseReason CheckHeader(const FrameHeader& header, FrameSink& sink) const;
  CloseReason FeedWhole(std::string_view* bytes, FrameSink& sink);
  CloseReason FeedHeld(std::string_view* bytes, FrameSink& sink);
  void ReleaseHeld();

  const uint32_t frame_bytes_max_;
  std::string held_;         // the frame in progress, header included; empty between frames
  uint32_t skip_ = 0;        // bytes left of an ignorable frame
  uint32_t skip_bytes_ = 0;  // of its whole length
  bool checked_ = false;     // the header in held_ has passed
  uint64_t frames_ = 0;
};

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_FRAME_FRAME_H_
