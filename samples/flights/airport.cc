#include "flights/airport.h"

#include <algorithm>

#include "flights/this_node.h"
#include "flights/totals.h"

namespace flights {

quern::StatusOr<v1::Applied> Airport::On(const v1::Batch& batch) {
  const uint64_t last_row = totals_.mark(batch.reader());
  const quern::StatusOr<uint32_t> events = ApplyBatch(batch, last_row, &*totals_);
  if (!events.ok()) return events.status();

  v1::Applied applied;
  applied.set_events_applied(*events);
  applied.set_node(ThisNode());
  applied.set_last_row(std::max(last_row, batch.last_row()));
  if (batch.last_row() <= last_row) return applied;  // all of it was saved before

  totals_.set_mark(batch.reader(), batch.last_row());
  return totals_.SaveThen(applied);
}

v1::Totals Airport::On(const v1::GetTotals&) {
  v1::Totals answer;
  *answer.mutable_totals() = *totals_;
  answer.set_busiest_hour(BusiestHour(*totals_));
  answer.set_node(ThisNode());
  return answer;
}

}  // namespace flights
