#include "flights/totals.h"

#include <algorithm>
#include <string>

namespace flights {
namespace {

quern::Status Check(const v1::Batch& batch, uint64_t last_row) {
  const std::string what = "batch of " + batch.reader() + ", rows " +
                           std::to_string(batch.first_row()) + "-" +
                           std::to_string(batch.last_row()) + ": ";
  const auto& rows = batch.rows();
  const auto& kinds = batch.kinds();
  const auto arrivals = std::count(kinds.begin(), kinds.end(), kArrivalKind);
  const bool fits =
      !batch.reader().empty() && rows.size() == kinds.size() && batch.delays_size() == arrivals &&
      std::is_sorted(rows.begin(), rows.end()) &&
      std::all_of(kinds.begin(), kinds.end(), [](uint32_t kind) { return kind <= kArrivalKind; }) &&
      (rows.empty() || (rows[0] >= batch.first_row() && rows[rows.size() - 1] <= batch.last_row()));
  if (!fits) return absl::InvalidArgumentError(what + "its columns do not fit together");
  if (batch.first_row() > last_row + 1) {
    return absl::FailedPreconditionError(what + "rows after " + std::to_string(last_row) +
                                         " are missing");
  }
  return absl::OkStatus();
}

void AddDeparture(uint32_t hour, v1::AirportTotals* totals) {
  totals->set_departures(totals->departures() + 1);
  totals->set_departures_by_hour(static_cast<int>(hour),
                                 totals->departures_by_hour(static_cast<int>(hour)) + 1);
}

void AddArrival(int32_t delay, v1::AirportTotals* totals) {
  const int bin = HistogramBin(delay);
  totals->set_arrivals(totals->arrivals() + 1);
  totals->set_delay_sum(totals->delay_sum() + delay);
  if (delay < kOnTimeBelowMinutes) totals->set_on_time(totals->on_time() + 1);
  totals->set_histogram(bin, totals->histogram(bin) + 1);
}

}  // namespace

quern::StatusOr<uint32_t> ApplyBatch(const v1::Batch& batch, uint64_t last_row,
                                     v1::AirportTotals* totals) {
  if (quern::Status status = Check(batch, last_row); !status.ok()) return status;
  totals->mutable_histogram()->Resize(kHistogramBins, 0);
  totals->mutable_departures_by_hour()->Resize(static_cast<int>(kHoursPerDay), 0);

  uint32_t applied = 0;
  int delay_index = 0;
  for (int i = 0; i < batch.rows_size(); ++i) {
    const bool is_arrival = batch.kinds(i) == kArrivalKind;
    const int32_t delay = is_arrival ? batch.delays(delay_index++) : 0;
    if (batch.rows(i) <= last_row) continue;  // a resend overlaps what was saved before
    if (is_arrival) {
      AddArrival(delay, totals);
    } else {
      AddDeparture(batch.kinds(i), totals);
    }
    ++applied;
  }
  return applied;
}

int HistogramBin(int32_t delay_minutes) {
  if (delay_minutes < kHistogramFrom) return 0;
  if (delay_minutes >= kHistogramTo) return kHistogramBins - 1;
  return 1 + (delay_minutes - kHistogramFrom) / kHistogramStep;
}

uint32_t BusiestHour(const v1::AirportTotals& totals) {
  const auto& hours = totals.departures_by_hour();
  // max_element returns the first of equals.
  return static_cast<uint32_t>(std::max_element(hours.begin(), hours.end()) - hours.begin());
}

}  // namespace flights
