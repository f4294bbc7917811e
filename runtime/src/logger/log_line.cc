#include "logger/log_line.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace quern::internal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      break;
  }
  return "off";
}

std::string_view LevelColumn(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO ";
    case LogLevel::kWarn:
      return "WARN ";
    case LogLevel::kError:
      return "ERROR";
    case LogLevel::kOff:
      break;
  }
  return "OFF  ";
}

// RFC 3339 in UTC, to the millisecond.
std::string Timestamp(WallTime time) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::milliseconds>(time - day));
  std::array<char, 40> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
      static_cast<int>(clock.subseconds().count()));
  return std::string(text.data(), static_cast<size_t>(size));
}

// Length of the well-formed UTF-8 sequence at the front of `bytes`, 0 for none (Unicode 15, table
// 3-7).
size_t Utf8Length(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto within = [&](size_t i, unsigned low, unsigned high) {
    return i < bytes.size() && at(i) >= low && at(i) <= high;
  };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return within(1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

void AppendEscaped(std::string_view bytes, std::string* out) {
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    if (length == 0) {
      out->append(kReplacement);
      bytes.remove_prefix(1);
      continue;
    }
    const char c = bytes[0];
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (c == '\r') {
      out->append("\\r");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> text{};
      std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned char>(c));
      out->append(text.data());
    } else {
      out->append(bytes.substr(0, length));
    }
    bytes.remove_prefix(length);
  }
}

void AppendQuoted(std::string_view bytes, std::string* out) {
  out->push_back('"');
  AppendEscaped(bytes, out);
  out->push_back('"');
}

// The shortest digits that read back as the same number.
template <typename N>
void AppendNumber(N number, std::string* out) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out->append(text.data(), end);
}

// A bare word needs no quotes in a text line.
bool IsWord(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '"' || c == '=' || c == '\\') return false;
  }
  return !text.empty();
}

enum class StringForm { kWordOrQuoted, kQuoted };

void AppendValue(const LogField::Value& value, StringForm form, std::string* out) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (form == StringForm::kWordOrQuoted && IsWord(*text)) {
      out->append(*text);
    } else {
      AppendQuoted(*text, out);
    }
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    AppendNumber(*integer, out);
  } else if (const auto* real = std::get_if<double>(&value)) {
    // JSON knows neither infinity nor not-a-number.
    if (std::isfinite(*real)) {
      AppendNumber(*real, out);
    } else {
      AppendQuoted(std::isnan(*real) ? "nan" : *real > 0 ? "inf" : "-inf", out);
    }
  } else {
    out->append(std::get<bool>(value) ? "true" : "false");
  }
}

bool IsReserved(std::string_view name) {
  return name == "time" || name == "level" || name == "name" || name == "message";
}

}  // namespace

std::string TextLine(const LogLine& line) {
  std::string out = Timestamp(line.time);
  out.push_back(' ');
  out.append(LevelColumn(line.level));
  if (!line.name.empty()) {
    out.append(" [");
    AppendEscaped(line.name, &out);
    out.push_back(']');
  }
  out.push_back(' ');
  AppendEscaped(line.message, &out);
  for (const LogField& field : line.fields) {
    out.push_back(' ');
    AppendEscaped(field.name, &out);
    out.push_back('=');
    AppendValue(field.value, StringForm::kWordOrQuoted, &out);
  }
  out.push_back('\n');
  return out;
}

std::string JsonLine(const LogLine& line) {
  std::string out = "{\"time\":";
  AppendQuoted(Timestamp(line.time), &out);
  out.append(",\"level\":");
  AppendQuoted(LevelName(line.level), &out);
  out.append(",\"name\":");
  AppendQuoted(line.name, &out);
  out.append(",\"message\":");
  AppendQuoted(line.message, &out);
  for (const LogField& field : line.fields) {
    // A second member of the same name would hide the line's own.
    out.push_back(',');
    AppendQuoted(IsReserved(field.name) ? field.name + "_" : field.name, &out);
    out.push_back(':');
    AppendValue(field.value, StringForm::kQuoted, &out);
  }
  out.append("}\n");
  return out;
}

}  // namespace quern::internal
