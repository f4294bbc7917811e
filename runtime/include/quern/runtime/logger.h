// Leveled logging with fields, as text or JSON. A Logger is given to constructors; there is no
// global one.
//
//   logger.Log(LogLevel::kWarn, "lease not renewed", {{"node", id}, {"left_ms", left.count()}});
//
// Thread-safe; never suspends. Lines are written whole.

#ifndef QUERN_RUNTIME_LOGGER_H_
#define QUERN_RUNTIME_LOGGER_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "quern/runtime/clock.h"

namespace quern {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : uint8_t { kText, kJson };

struct LogField {
  using Value = std::variant<std::string, int64_t, double, bool>;

  template <typename T>
  LogField(std::string_view name_in, const T& value_in) : name(name_in), value(ToValue(value_in)) {}

  template <typename T>
  static Value ToValue(const T& v) {
    if constexpr (std::is_same_v<T, bool>)
      return v;
    else if constexpr (std::is_floating_point_v<T>)
      return static_cast<double>(v);
    else if constexpr (std::is_integral_v<T>)
      return static_cast<int64_t>(v);
    else if constexpr (std::is_convertible_v<T, std::string_view>)
      return std::string(std::string_view(v));
    else
      return v.ToString();
  }

  std::string name;
  Value value;
};

class Logger {
 public:
  virtual ~Logger() = default;

  virtual bool IsOn(LogLevel level) const = 0;
  virtual void Log(LogLevel level, std::string_view message,
                   std::initializer_list<LogField> fields = {}) = 0;
};

// Writes to standard error. `name` stands in every line (a node's name, say).
std::unique_ptr<Logger> StderrLogger(std::string name, LogLevel level, LogFormat format,
                                     const Clock& clock);

// Drops everything. Lives for the whole program.
Logger& NullLogger();

}  // namespace quern

#endif  // QUERN_RUNTIME_LOGGER_H_
