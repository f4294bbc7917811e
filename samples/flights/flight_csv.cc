#include "flights/flight_csv.h"

#include <array>
#include <charconv>
#include <utility>

#include "flights/limits.h"

namespace flights {
namespace {

constexpr std::string_view kHeader = "departure,delay_minutes,distance_miles,origin,destination";
constexpr size_t kFields = 5;

quern::Status Malformed(std::string what, std::string_view field) {
  constexpr size_t kShown = 40;
  what += " \"" + std::string(field.substr(0, kShown)) + (field.size() > kShown ? "..\"" : "\"");
  return absl::InvalidArgumentError(what);
}

// The number of fields, which may be more than are kept.
size_t Split(std::string_view line, std::array<std::string_view, kFields>* fields) {
  size_t count = 0;
  for (;;) {
    const size_t comma = line.find(',');
    if (count < kFields) (*fields)[count] = line.substr(0, comma);
    ++count;
    if (comma == std::string_view::npos) return count;
    line.remove_prefix(comma + 1);
  }
}

template <typename N>
bool ParseNumber(std::string_view text, N* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// "2001-01-01T00:01Z"
bool ParseHour(std::string_view text, uint32_t* hour) {
  constexpr std::string_view kPattern = "0000-00-00T00:00Z";
  if (text.size() != kPattern.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == '0' ? !is_digit : text[i] != kPattern[i]) return false;
  }
  uint32_t month = 0, day = 0, minute = 0;
  ParseNumber(text.substr(5, 2), &month);
  ParseNumber(text.substr(8, 2), &day);
  ParseNumber(text.substr(11, 2), hour);
  ParseNumber(text.substr(14, 2), &minute);
  return month >= 1 && month <= 12 && day >= 1 && day <= 31 && *hour <= 23 && minute <= 59;
}

bool IsAirportCode(std::string_view text) {
  if (text.size() < 3 || text.size() > 4) return false;
  for (const char c : text) {
    if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
  }
  return true;
}

}  // namespace

quern::Status ParseFlight(std::string_view line, Flight* flight) {
  std::array<std::string_view, kFields> fields;
  const size_t count = Split(line, &fields);
  if (count != kFields) {
    return Malformed(
        std::to_string(count) + (count == 1 ? " field" : " fields") + " instead of 5 in", line);
  }
  int32_t distance = 0;
  if (!ParseHour(fields[0], &flight->hour)) return Malformed("departure is not a time:", fields[0]);
  if (!ParseNumber(fields[1], &flight->delay_minutes)) {
    return Malformed("delay is not a whole number:", fields[1]);
  }
  if (!ParseNumber(fields[2], &distance) || distance < 0) {
    return Malformed("distance is not a whole number:", fields[2]);
  }
  for (const std::string_view code : {fields[3], fields[4]}) {
    if (!IsAirportCode(code)) return Malformed("not an airport code:", code);
  }
  flight->origin = fields[3];
  flight->destination = fields[4];
  return absl::OkStatus();
}

FlightCsv::FlightCsv(std::string path, Options options, LineSource lines)
    : path_(std::move(path)), options_(options), lines_(std::move(lines)) {}

quern::StatusOr<std::unique_ptr<FlightCsv>> FlightCsv::Open(const std::string& path,
                                                            Options options) {
  auto bytes = ByteSource::Open(path);
  if (!bytes.ok()) return bytes.status();
  LineSource lines(std::move(*bytes));

  std::string_view header;
  auto more = lines.Next(&header);
  if (!more.ok()) return more.status();
  if (!*more || header != kHeader) {
    return absl::InvalidArgumentError(path + " is not a flights file: its first line must be " +
                                      std::string(kHeader));
  }
  return std::unique_ptr<FlightCsv>(new FlightCsv(path, options, std::move(lines)));
}

quern::StatusOr<std::optional<Flight>> FlightCsv::Next() {
  for (;;) {
    if (options_.row_limit != 0 && rows_ == options_.row_limit) return std::optional<Flight>();
    std::string_view line;
    auto more = lines_.Next(&line);
    if (!more.ok()) return more.status();
    if (!*more) return std::optional<Flight>();

    ++rows_;
    std::optional<Flight> flight(std::in_place);
    flight->row = rows_;
    const quern::Status parsed = ParseFlight(line, &*flight);
    if (parsed.ok()) return flight;

    const std::string reason(parsed.message());
    if (options_.strict) {
      return absl::InvalidArgumentError(path_ + ":" + std::to_string(lines_.line_number()) + ": " +
                                        reason + "; repair the row, or run without --strict");
    }
    ++malformed_.count;
    if (malformed_.first.size() < static_cast<size_t>(kMalformedShown)) {
      malformed_.first.push_back({lines_.line_number(), reason});
    }
  }
}

}  // namespace flights
