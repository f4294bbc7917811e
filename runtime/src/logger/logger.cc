#include "quern/runtime/logger.h"

#include <unistd.h>
#include <cerrno>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "logger/log_line.h"

namespace quern {
namespace {

class StderrLoggerImpl : public Logger {
 public:
  StderrLoggerImpl(std::string name, LogLevel level, LogFormat format, const Clock& clock)
      : name_(std::move(name)), level_(level), format_(format), clock_(clock) {}

  bool IsOn(LogLevel level) const override { return level >= level_ && level != LogLevel::kOff; }

  void Log(LogLevel level, std::string_view message,
           std::initializer_list<LogField> fields) override {
    if (!IsOn(level)) return;
    const internal::LogLine line{clock_.WallNow(), level, name_, message, fields};
    Write(format_ == LogFormat::kJson ? internal::JsonLine(line) : internal::TextLine(line));
  }

 private:
  // The lock keeps a line whole where the kernel takes it in pieces.
  void Write(const std::string& line) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    size_t written = 0;
    while (written < line.size()) {
      const ssize_t n = write(STDERR_FILENO, line.data() + written, line.size() - written);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // nobody to tell
      written += static_cast<size_t>(n);
    }
  }

  const std::string name_;
  const LogLevel level_;
  const LogFormat format_;
  const Clock& clock_;
  absl::Mutex mutex_;
};

class NullLoggerImpl : public Logger {
 public:
  bool IsOn(LogLevel) const override { return false; }
  void Log(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace

std::unique_ptr<Logger> StderrLogger(std::string name, LogLevel level, LogFormat format,
                                     const Clock& clock) {
  return std::make_unique<StderrLoggerImpl>(std::move(name), level, format, clock);
}

Logger& NullLogger() {
  static NullLoggerImpl logger;
  return logger;
}

}  // namespace quern
