// Recomputes every number in one plain loop over the file and compares. Shares nothing with the
// airports but the decompressed bytes: it has its own parsing, its own counting and its own rules.
//
//   auto expected = Recompute("flights-2001-01.csv.zst", 0);
//   std::vector<std::string> differences = Compare(*expected, totals);   // empty: all exact
//
// Recompute blocks the thread.

#ifndef QUERN_SAMPLES_FLIGHTS_VERIFIER_H_
#define QUERN_SAMPLES_FLIGHTS_VERIFIER_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "flights.pb.h"
#include "quern/runtime/status.h"

namespace flights {

struct ExpectedTotals {
  uint64_t departures = 0;
  uint64_t arrivals = 0;
  int64_t delay_sum = 0;
  uint64_t on_time = 0;
  std::array<uint64_t, 18> histogram = {};
  std::array<uint64_t, 24> departures_by_hour = {};

  uint32_t BusiestHour() const;
};

// By airport. Rows that are not flights are left out. `row_limit` 0: all rows.
quern::StatusOr<std::map<std::string, ExpectedTotals>> Recompute(const std::string& path,
                                                                 uint64_t row_limit);

// One line for each field of each airport that differs, and for each airport that only one side
// knows.
std::vector<std::string> Compare(const std::map<std::string, ExpectedTotals>& expected,
                                 const std::map<std::string, v1::Totals>& actual);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_VERIFIER_H_
