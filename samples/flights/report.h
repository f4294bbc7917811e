// What a run found, as text for people and as JSON for programs.

#ifndef QUERN_SAMPLES_FLIGHTS_REPORT_H_
#define QUERN_SAMPLES_FLIGHTS_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flights.pb.h"

namespace flights {

struct DemoResult {
  std::map<std::string, v1::Totals> airports;
  std::optional<std::string> killed;  // "us-east/node-2"
  std::optional<std::string> paused;
  uint64_t grains_moved = 0;
  std::optional<double>
      first_answer_ms;  // from the signal to the first answer of a grain that moved
  double flights_per_s = 0;
  double p99_ms = 0;
  double cross_dc_share = 0;  // 0-1
  uint64_t refused_writes = 0;
  std::vector<std::string> differences;  // from the verifier; empty: every number is exact
  uint64_t batches_resent = 0;
  uint64_t flights = 0;
  double seconds = 0;

  bool verified() const { return differences.empty(); }
};

// One document, a line, with a newline at its end.
std::string JsonReport(const DemoResult& result);

// The closing lines: what moved, the ten airports with most flights, and whether all is exact.
std::string TextReport(const DemoResult& result);

// "508,239"
std::string WithCommas(uint64_t number);

// `number` with that many decimals: "1.31".
std::string Decimal(double number, int decimals);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_REPORT_H_
