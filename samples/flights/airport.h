// The grain of one airport: adds batches of events to its totals, each row once.
//
//   system.Host<Airport>();
//   system.Grain<AirportApi>("ORD").Ask(batch);    // answered once the new totals are saved
//
// Totals and the last row applied of each reader are saved together, in one compare-and-set that
// carries the activation's epoch. So a batch that comes again, because its answer was lost with a
// node, changes nothing; and an activation that was replaced without knowing it cannot save.

#ifndef QUERN_SAMPLES_FLIGHTS_AIRPORT_H_
#define QUERN_SAMPLES_FLIGHTS_AIRPORT_H_

#include <string>

#include "flights/api.h"
#include "quern/runtime/grain.h"
#include "quern/runtime/state.h"

namespace flights {

class Airport : public quern::Grain<AirportApi> {
 public:
  // INVALID_ARGUMENT, FAILED_PRECONDITION: as ApplyBatch. Suspends until it is saved.
  quern::StatusOr<v1::Applied> On(const v1::Batch& batch);

  v1::Totals On(const v1::GetTotals&);

 private:
  quern::State<v1::AirportTotals> totals_{this};
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_AIRPORT_H_
