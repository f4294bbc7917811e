// How an airport counts: what a batch of events adds to its totals. Plain functions of values.

#ifndef QUERN_SAMPLES_FLIGHTS_TOTALS_H_
#define QUERN_SAMPLES_FLIGHTS_TOTALS_H_

#include <cstdint>

#include "flights.pb.h"
#include "quern/runtime/status.h"

namespace flights {

inline constexpr uint32_t kHoursPerDay = 24;
inline constexpr uint32_t kArrivalKind = kHoursPerDay;  // in Batch.kinds
inline constexpr int32_t kOnTimeBelowMinutes = 15;
inline constexpr int32_t kHistogramFrom = -60;
inline constexpr int32_t kHistogramTo = 180;
inline constexpr int32_t kHistogramStep = 15;
inline constexpr int kHistogramBins = 2 + (kHistogramTo - kHistogramFrom) / kHistogramStep;

// Adds the events of `batch` whose row is above `last_row`, the last one applied of that reader,
// and returns how many that were. Nothing is added on failure: INVALID_ARGUMENT when the columns do
// not fit together, FAILED_PRECONDITION when rows between `last_row` and the batch are missing.
quern::StatusOr<uint32_t> ApplyBatch(const v1::Batch& batch, uint64_t last_row,
                                     v1::AirportTotals* totals);

// The bin of a delay: 0 is open below, the last one is open above.
int HistogramBin(int32_t delay_minutes);

// The hour with most scheduled departures, the lowest on a tie; 0 without any.
uint32_t BusiestHour(const v1::AirportTotals& totals);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_TOTALS_H_
