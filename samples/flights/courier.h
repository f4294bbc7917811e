// Carries one reader's batches to one airport, one after the other: the next batch leaves when the
// last one is answered, and what is not answered is sent again, the same rows, for as long as it
// takes. A child of its reader; many couriers wait at once, each on its own airport.

#ifndef QUERN_SAMPLES_FLIGHTS_COURIER_H_
#define QUERN_SAMPLES_FLIGHTS_COURIER_H_

#include <string>

#include "flights/api.h"
#include "quern/runtime/actor.h"
#include "quern/runtime/context.h"

namespace flights {

struct CourierApi : quern::Protocol<void(v1::Batch)> {};

class Courier : public quern::Actor<CourierApi> {
 public:
  struct Route {
    std::string airport;
    quern::Ref<AirportApi> grain;
    quern::Ref<ReaderApi> reader;  // is told what became of each batch
    quern::Duration ask_timeout;
  };

  explicit Courier(Route route);

  // Suspends until the batch is answered, refused for good, or this actor is stopped.
  void On(const v1::Batch& batch, quern::Context& context);

 private:
  const Route route_;
};

// False when sending the same batch again cannot help.
bool WorthSendingAgain(const quern::Status& status);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_COURIER_H_
