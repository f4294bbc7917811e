#include "flights/airports.h"

#include <charconv>
#include <utility>
#include <vector>

#include "flights/byte_source.h"

namespace flights {
namespace {

constexpr std::string_view kHeader = "iata,name,city,state,country,latitude,longitude";
constexpr size_t kFields = 7;

// Fields of a CSV line; a quoted field may hold commas, "" is a quote in it (RFC 4180, 2).
std::vector<std::string> SplitQuoted(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

bool ParseDegrees(const std::string& text, double* degrees) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *degrees);
  return error == std::errc() && stop == end && *degrees >= -180 && *degrees <= 180;
}

}  // namespace

quern::StatusOr<Airports> Airports::Load(const std::string& path, Options options) {
  auto bytes = ByteSource::Open(path);
  if (!bytes.ok()) return bytes.status();
  LineSource lines(std::move(*bytes));
  Airports airports;
  airports.path_ = path;
  airports.options_ = options;
  for (std::string_view line;;) {
    auto more = lines.Next(&line);
    if (!more.ok()) return more.status();
    if (!*more) break;
    if (lines.line_number() == 1) {
      if (line == kHeader) continue;
      return absl::InvalidArgumentError(path + " is not an airports file: its first line must be " +
                                        std::string(kHeader));
    }
    const std::vector<std::string> fields = SplitQuoted(line);
    double longitude = 0;
    if (fields.size() != kFields || fields[0].empty() || !ParseDegrees(fields[6], &longitude)) {
      return absl::InvalidArgumentError(path + ":" + std::to_string(lines.line_number()) +
                                        ": not an airport with code and longitude; repair the row");
    }
    airports.longitudes_.emplace(fields[0], longitude);
  }
  if (airports.longitudes_.empty()) {
    return absl::InvalidArgumentError(path + " holds no airport; give another with --airports");
  }
  return airports;
}

std::string Airports::Home(std::string_view code) const {
  const auto found = longitudes_.find(code);
  const bool west = found != longitudes_.end() && found->second < -options_.border_west;
  return std::string(west ? kWest : kEast);
}

}  // namespace flights
