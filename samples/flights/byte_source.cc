#include "flights/byte_source.h"

#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "flights/limits.h"

namespace flights {
namespace {

constexpr unsigned char kZstdMagic[4] = {0x28, 0xB5, 0x2F, 0xFD};

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

quern::Status OpenError(const std::string& path, int error) {
  const std::string what = "cannot open " + path + ": " + std::strerror(error);
  if (error == ENOENT)
    return absl::NotFoundError(what + "; give its path with --data or --airports");
  if (error == EACCES) return absl::PermissionDeniedError(what + "; make it readable");
  return absl::FailedPreconditionError(what);
}

quern::Status ReadError(const std::string& path, int error) {
  return absl::FailedPreconditionError("cannot read " + path + ": " + std::strerror(error) +
                                       "; give the path of a file");
}

class PlainSource : public ByteSource {
 public:
  PlainSource(std::string path, File file) : path_(std::move(path)), file_(std::move(file)) {}

  quern::StatusOr<size_t> Read(std::span<char> out) override {
    const size_t n = std::fread(out.data(), 1, out.size(), file_.get());
    if (n == 0 && std::ferror(file_.get())) return ReadError(path_, errno);
    return n;
  }

 private:
  const std::string path_;
  const File file_;
};

struct DecoderFree {
  void operator()(ZSTD_DStream* decoder) const { ZSTD_freeDStream(decoder); }
};

class ZstdSource : public ByteSource {
 public:
  ZstdSource(std::string path, File file)
      : path_(std::move(path)),
        file_(std::move(file)),
        decoder_(ZSTD_createDStream()),
        compressed_(ZSTD_DStreamInSize()) {}

  quern::StatusOr<size_t> Read(std::span<char> out) override {
    ZSTD_outBuffer target = {out.data(), out.size(), 0};
    while (target.pos == 0) {
      if (input_.pos == input_.size) {
        const size_t n = std::fread(compressed_.data(), 1, compressed_.size(), file_.get());
        if (n == 0 && std::ferror(file_.get())) return ReadError(path_, errno);
        input_ = {compressed_.data(), n, 0};
      }
      const bool file_ended = input_.size == 0;
      if (file_ended && !in_frame_) return size_t{0};
      const size_t hint = ZSTD_decompressStream(decoder_.get(), &target, &input_);
      if (ZSTD_isError(hint)) return Damaged(ZSTD_getErrorName(hint));
      in_frame_ = hint != 0;
      if (file_ended && in_frame_ && target.pos == 0) return Damaged("it ends in the middle");
    }
    return target.pos;
  }

 private:
  quern::Status Damaged(const char* why) const {
    return absl::DataLossError("cannot decompress " + path_ + ": " + why +
                               "; check it with `zstd -t " + path_ + "` and fetch it again");
  }

  const std::string path_;
  const File file_;
  const std::unique_ptr<ZSTD_DStream, DecoderFree> decoder_;
  std::vector<char> compressed_;
  ZSTD_inBuffer input_ = {nullptr, 0, 0};
  bool in_frame_ = false;
};

}  // namespace

quern::StatusOr<std::unique_ptr<ByteSource>> ByteSource::Open(const std::string& path) {
  File file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return OpenError(path, errno);

  unsigned char head[sizeof kZstdMagic];
  const size_t n = std::fread(head, 1, sizeof head, file.get());
  if (n < sizeof head && std::ferror(file.get())) return ReadError(path, errno);
  std::rewind(file.get());

  const bool is_zstd = n == sizeof head && std::memcmp(head, kZstdMagic, sizeof head) == 0;
  if (is_zstd) return std::make_unique<ZstdSource>(path, std::move(file));
  if (path.ends_with(".zst")) {
    return absl::DataLossError(path +
                               " is not zstd although its name says so; fetch it again, or " +
                               "drop the .zst from its name if it is plain CSV");
  }
  return std::make_unique<PlainSource>(path, std::move(file));
}

LineSource::LineSource(std::unique_ptr<ByteSource> bytes)
    : bytes_(std::move(bytes)), buffer_(kLineBytesMax, '\0') {}

quern::StatusOr<bool> LineSource::Next(std::string_view* line) {
  for (size_t scanned = begin_;;) {
    const std::string_view unread(buffer_.data() + scanned, end_ - scanned);
    const size_t newline = unread.find('\n');
    const bool found = newline != std::string_view::npos;
    if (found || (at_end_ && begin_ < end_)) {
      const size_t stop = found ? scanned + newline : end_;
      *line = std::string_view(buffer_.data() + begin_, stop - begin_);
      if (line->ends_with('\r')) line->remove_suffix(1);
      begin_ = found ? stop + 1 : end_;
      ++line_number_;
      return true;
    }
    if (at_end_) return false;

    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    scanned = end_;
    if (end_ == buffer_.size()) {
      return absl::DataLossError("line " + std::to_string(line_number_ + 1) + " is longer than " +
                                 std::to_string(kLineBytesMax) + " bytes; is this a CSV file?");
    }
    auto n = bytes_->Read(std::span(buffer_).subspan(end_));
    if (!n.ok()) return n.status();
    end_ += *n;
    at_end_ = *n == 0;
  }
}

}  // namespace flights
