// A Logger that keeps the messages it is given, for tests. Thread-safe.

#ifndef QUERN_TESTS_RUNTIME_COLLECTING_LOGGER_H_
#define QUERN_TESTS_RUNTIME_COLLECTING_LOGGER_H_

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "quern/runtime/logger.h"

namespace quern {

class CollectingLogger : public Logger {
 public:
  bool IsOn(LogLevel level) const override { return level >= LogLevel::kWarn; }

  void Log(LogLevel, std::string_view message, std::initializer_list<LogField> fields) override {
    std::string line(message);
    for (const LogField& field : fields) {
      line += ' ' + field.name + '=';
      std::visit(
          [&](const auto& value) {
            if constexpr (requires { line += value; } &&
                          !std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
              line += value;
            } else {
              line += std::to_string(value);
            }
          },
          field.value);
    }
    absl::MutexLock lock(&mutex_);
    lines_.push_back(std::move(line));
  }

  std::vector<std::string> lines() const {
    absl::MutexLock lock(&mutex_);
    return lines_;
  }

  size_t Count(std::string_view text) const {
    const std::vector<std::string> all = lines();
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    }));
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace quern

#endif  // QUERN_TESTS_RUNTIME_COLLECTING_LOGGER_H_
