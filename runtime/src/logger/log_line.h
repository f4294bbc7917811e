// One log line as bytes, newline included: text for people, JSON for machines.
//
//   2026-01-31T09:30:00.123Z WARN  [west-1] lease not renewed node=west-1 left_ms=3200
//   {"time":"2026-01-31T09:30:00.123Z","level":"warn","name":"west-1","message":"lease not
//   renewed","node":"west-1","left_ms":3200}
//
// Pure functions. Whatever bytes come in, the text is one line and the JSON parses: control
// characters are escaped, and bytes that are no UTF-8 become U+FFFD.

#ifndef QUERN_RUNTIME_SRC_LOGGER_LOG_LINE_H_
#define QUERN_RUNTIME_SRC_LOGGER_LOG_LINE_H_

#include <initializer_list>
#include <string>
#include <string_view>

#include "quern/runtime/logger.h"

namespace quern::internal {

struct LogLine {
  WallTime time;
  LogLevel level;
  std::string_view name;
  std::string_view message;
  std::initializer_list<LogField> fields;
};

std::string TextLine(const LogLine& line);
std::string JsonLine(const LogLine& line);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_LOGGER_LOG_LINE_H_
