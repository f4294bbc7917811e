#include "flights/report.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace flights {
namespace {

constexpr size_t kTopAirports = 10;
constexpr size_t kDifferencesShown = 10;

template <typename Numbers>
std::string JsonArray(const Numbers& numbers) {
  std::string out = "[";
  for (const auto number : numbers) out += (out.size() > 1 ? "," : "") + std::to_string(number);
  return out + "]";
}

// Codes are capital letters and digits, node names plain words: nothing needs escaping.
std::string JsonAirport(const std::string& code, const v1::Totals& answer) {
  const v1::AirportTotals& totals = answer.totals();
  return "\"" + code + "\":{\"departures\":" + std::to_string(totals.departures()) +
         ",\"arrivals\":" + std::to_string(totals.arrivals()) +
         ",\"delay_sum\":" + std::to_string(totals.delay_sum()) +
         ",\"on_time\":" + std::to_string(totals.on_time()) +
         ",\"histogram\":" + JsonArray(totals.histogram()) +
         ",\"busiest_hour\":" + std::to_string(answer.busiest_hour()) + "}";
}

std::string Pad(std::string text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string TopAirports(const DemoResult& result) {
  using Entry = std::pair<std::string, const v1::Totals*>;
  std::vector<Entry> entries;
  for (const auto& [code, answer] : result.airports) entries.emplace_back(code, &answer);
  const auto flights = [](const Entry& e) {
    return e.second->totals().departures() + e.second->totals().arrivals();
  };
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const Entry& a, const Entry& b) { return flights(a) > flights(b); });
  if (entries.size() > kTopAirports) entries.resize(kTopAirports);

  std::string out = "AIRPORT  DEPARTURES  ARRIVALS  MEAN DELAY  ON TIME  BUSIEST HOUR  NODE\n";
  for (const auto& [code, answer] : entries) {
    const v1::AirportTotals& totals = answer->totals();
    const double arrivals = static_cast<double>(std::max<uint64_t>(totals.arrivals(), 1));
    const std::string hour =
        (answer->busiest_hour() < 10 ? "0" : "") + std::to_string(answer->busiest_hour()) + ":00";
    out += code + std::string(7 - std::min<size_t>(code.size(), 7), ' ') +
           Pad(WithCommas(totals.departures()), 12) + Pad(WithCommas(totals.arrivals()), 10) +
           Pad(Decimal(static_cast<double>(totals.delay_sum()) / arrivals, 1) + " min", 12) +
           Pad(Decimal(100 * static_cast<double>(totals.on_time()) / arrivals, 1) + " %", 9) +
           Pad(hour, 14) + "  " + answer->node() + "\n";
  }
  return out;
}

std::string Failure(const DemoResult& result) {
  if (!result.killed && !result.paused) return "";
  const std::string node = result.killed ? *result.killed : *result.paused;
  std::string out = (result.killed ? "killed " : "paused ") + node + "   " +
                    WithCommas(result.grains_moved) + " grains moved   ";
  out += result.first_answer_ms ? "first answer of one of them after " +
                                      Decimal(*result.first_answer_ms / 1000, 2) + " s"
                                : "none of them had work left";
  if (result.paused) {
    out += "   " + WithCommas(result.refused_writes) + " late writes refused";
  }
  return out + "   " + WithCommas(result.batches_resent) + " batches resent\n";
}

}  // namespace

std::string JsonReport(const DemoResult& result) {
  std::string airports;
  for (const auto& [code, answer] : result.airports) {
    airports += (airports.empty() ? "" : ",") + JsonAirport(code, answer);
  }
  return "{\"airports\":{" + airports +
         "},\"killed\":" + (result.killed ? "\"" + *result.killed + "\"" : "null") +
         ",\"grains_moved\":" + std::to_string(result.grains_moved) + ",\"first_answer_ms\":" +
         (result.first_answer_ms ? Decimal(*result.first_answer_ms, 1) : "null") +
         ",\"flights_per_s\":" + Decimal(result.flights_per_s, 0) +
         ",\"p99_ms\":" + Decimal(result.p99_ms, 3) +
         ",\"cross_dc_share\":" + Decimal(result.cross_dc_share, 6) +
         ",\"refused_writes\":" + std::to_string(result.refused_writes) +
         ",\"verified\":" + (result.verified() ? "true" : "false") + "}\n";
}

std::string TextReport(const DemoResult& result) {
  std::string out = Failure(result);
  out += WithCommas(result.flights) + " flights in " + Decimal(result.seconds, 1) + " s   " +
         WithCommas(static_cast<uint64_t>(result.flights_per_s)) + "/s   p99 of a batch " +
         Decimal(result.p99_ms, 1) + " ms   between the datacenters " +
         Decimal(100 * result.cross_dc_share, 1) + " % of flights\n\n" + TopAirports(result) + "\n";
  if (result.verified()) {
    return out + "totals checked: all " + WithCommas(result.airports.size()) +
           " airports agree with the file in every field   OK\n";
  }
  const size_t shown = std::min(result.differences.size(), kDifferencesShown);
  for (size_t i = 0; i < shown; ++i) out += "  " + result.differences[i] + "\n";
  return out + "totals checked: " + WithCommas(result.differences.size()) +
         " differences from the file   WRONG\n";
}

std::string WithCommas(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string Decimal(double number, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, number);
  return text;
}

}  // namespace flights
