// The bytes of a file, decompressed on the way when it is zstd. The one thing that the readers of
// flights and the verifier share.
//
//   auto source = ByteSource::Open("flights-2001-01.csv.zst");
//   StatusOr<size_t> n = (*source)->Read(buffer, sizeof buffer);   // 0 at the end
//
// Owner only. Open and Read block the thread.

#ifndef QUERN_SAMPLES_FLIGHTS_BYTE_SOURCE_H_
#define QUERN_SAMPLES_FLIGHTS_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quern/runtime/status.h"

namespace flights {

class ByteSource {
 public:
  // NOT_FOUND: no such file. PERMISSION_DENIED, FAILED_PRECONDITION: it cannot be read. DATA_LOSS:
  // named .zst, but not zstd. Every message is one line with the fix.
  static quern::StatusOr<std::unique_ptr<ByteSource>> Open(const std::string& path);

  virtual ~ByteSource() = default;

  // Bytes written to `out`, 0 at the end. DATA_LOSS: damaged or truncated.
  virtual quern::StatusOr<size_t> Read(std::span<char> out) = 0;
};

// The lines of a byte source, without their ends ("\n" or "\r\n"). Owner only.
class LineSource {
 public:
  explicit LineSource(std::unique_ptr<ByteSource> bytes);

  // False at the end. The line is valid until the next call. DATA_LOSS: damaged, or a line longer
  // than kLineBytesMax.
  quern::StatusOr<bool> Next(std::string_view* line);

  // Of the line last returned; the first is 1.
  uint64_t line_number() const { return line_number_; }

 private:
  std::unique_ptr<ByteSource> bytes_;
  std::string buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool at_end_ = false;
  uint64_t line_number_ = 0;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_BYTE_SOURCE_H_
