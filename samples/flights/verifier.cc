#include "flights/verifier.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "flights/byte_source.h"

namespace flights {
namespace {

// A row as the C library reads it; false when it is not a flight.
struct Row {
  int year, month, day, hour, minute;
  long delay, distance;
  char origin[5], destination[5];
};

bool IsCode(const char* code) {
  size_t length = 0;
  for (; code[length] != '\0'; ++length) {
    if (!std::isupper(static_cast<unsigned char>(code[length])) &&
        !std::isdigit(static_cast<unsigned char>(code[length]))) {
      return false;
    }
  }
  return length >= 3;
}

// True for an optional '-' and digits that fit into 32 bits.
bool ReadInteger(const std::string& text, long* number) {
  const size_t sign = text.starts_with('-') ? 1 : 0;
  if (text.size() == sign || text.find_first_not_of("0123456789", sign) != std::string::npos) {
    return false;
  }
  *number = std::strtol(text.c_str(), nullptr, 10);
  return *number >= INT32_MIN && *number <= INT32_MAX;
}

bool ReadRow(std::string_view line, Row* row) {
  const std::string text(line);
  char delay[24], distance[24];
  int consumed = 0;
  const int fields =
      std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2dZ,%23[-0-9],%23[-0-9],%4[A-Z0-9],%4[A-Z0-9]%n",
                  &row->year, &row->month, &row->day, &row->hour, &row->minute, delay, distance,
                  row->origin, row->destination, &consumed);
  if (fields != 9 || static_cast<size_t>(consumed) != text.size()) return false;
  // sscanf takes blanks, signs and fewer digits than asked for; the time must be written in full.
  if (text.find(',') != 17 || text.find_first_of(" +\t\v\f") != std::string::npos) return false;
  for (const size_t digit : {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15}) {
    if (!std::isdigit(static_cast<unsigned char>(text[digit]))) return false;
  }
  if (row->month < 1 || row->month > 12 || row->day < 1 || row->day > 31 || row->hour > 23 ||
      row->minute > 59) {
    return false;
  }
  return ReadInteger(delay, &row->delay) && ReadInteger(distance, &row->distance) &&
         row->distance >= 0 && IsCode(row->origin) && IsCode(row->destination);
}

size_t Bin(long delay) {
  for (size_t bin = 0; bin < 17; ++bin) {
    if (delay < -60 + 15 * static_cast<long>(bin)) return bin;
  }
  return 17;
}

class Comparison {
 public:
  explicit Comparison(std::string airport) : airport_(std::move(airport)) {}

  template <typename N>
  void Field(const std::string& name, N file, N grain) {
    if (file == grain) return;
    differences_.push_back(airport_ + " " + name + ": the file says " + std::to_string(file) +
                           ", the grain " + std::to_string(grain));
  }

  template <typename Column, typename Repeated>
  void Fields(const std::string& name, const Column& file, const Repeated& grain) {
    Field(name + " size", file.size(), static_cast<size_t>(grain.size()));
    for (size_t i = 0; i < file.size() && i < static_cast<size_t>(grain.size()); ++i) {
      Field(name + "[" + std::to_string(i) + "]", file[i],
            static_cast<uint64_t>(grain[static_cast<int>(i)]));
    }
  }

  std::vector<std::string>& differences() { return differences_; }

 private:
  const std::string airport_;
  std::vector<std::string> differences_;
};

std::vector<std::string> CompareAirport(const std::string& airport, const ExpectedTotals& file,
                                        const v1::Totals& answer) {
  const v1::AirportTotals& grain = answer.totals();
  Comparison comparison(airport);
  comparison.Field("busiest_hour", file.BusiestHour(),
                   static_cast<uint32_t>(answer.busiest_hour()));
  comparison.Field("departures", file.departures, static_cast<uint64_t>(grain.departures()));
  comparison.Field("arrivals", file.arrivals, static_cast<uint64_t>(grain.arrivals()));
  comparison.Field("delay_sum", file.delay_sum, static_cast<int64_t>(grain.delay_sum()));
  comparison.Field("on_time", file.on_time, static_cast<uint64_t>(grain.on_time()));
  comparison.Fields("histogram", file.histogram, grain.histogram());
  comparison.Fields("departures_by_hour", file.departures_by_hour, grain.departures_by_hour());
  return comparison.differences();
}

}  // namespace

uint32_t ExpectedTotals::BusiestHour() const {
  uint32_t busiest = 0;
  for (uint32_t hour = 1; hour < 24; ++hour) {
    if (departures_by_hour[hour] > departures_by_hour[busiest]) busiest = hour;
  }
  return busiest;
}

quern::StatusOr<std::map<std::string, ExpectedTotals>> Recompute(const std::string& path,
                                                                 uint64_t row_limit) {
  auto bytes = ByteSource::Open(path);
  if (!bytes.ok()) return bytes.status();
  std::map<std::string, ExpectedTotals> airports;
  std::string text;
  std::vector<char> chunk(1 << 20);
  uint64_t lines = 0;
  for (bool more = true; more;) {
    auto n = (*bytes)->Read(chunk);
    if (!n.ok()) return n.status();
    more = *n > 0;
    text.append(chunk.data(), *n);
    if (!more && !text.empty() && text.back() != '\n') text += '\n';
    size_t begin = 0;
    for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string_view line(text.data() + begin, end - begin);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (lines++ == 0) continue;  // the header
      if (row_limit != 0 && lines - 1 > row_limit) return airports;
      Row row;
      if (!ReadRow(line, &row)) continue;
      ExpectedTotals& origin = airports[row.origin];
      ++origin.departures;
      ++origin.departures_by_hour[static_cast<size_t>(row.hour)];
      ExpectedTotals& destination = airports[row.destination];
      ++destination.arrivals;
      destination.delay_sum += row.delay;
      if (row.delay < 15) ++destination.on_time;
      ++destination.histogram[Bin(row.delay)];
    }
    text.erase(0, begin);
  }
  return airports;
}

std::vector<std::string> Compare(const std::map<std::string, ExpectedTotals>& expected,
                                 const std::map<std::string, v1::Totals>& actual) {
  std::vector<std::string> differences;
  for (const auto& [airport, file] : expected) {
    const auto found = actual.find(airport);
    if (found == actual.end()) {
      differences.push_back(airport + ": in the file, but no grain answered");
      continue;
    }
    for (std::string& line : CompareAirport(airport, file, found->second)) {
      differences.push_back(std::move(line));
    }
  }
  for (const auto& [airport, grain] : actual) {
    if (!expected.contains(airport))
      differences.push_back(airport + ": a grain, but not in the file");
  }
  return differences;
}

}  // namespace flights
