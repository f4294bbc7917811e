// Which store is this? The first node to reach an empty control plane names it with a random id;
// all others read the name. The id is part of every key, the number part of every epoch.
//
//   OpenStoreIncarnation(plane, executor, {.cluster = "flights", .random = &random},
//                        [](StatusOr<StoreIdentity> store) { keys.emplace("flights", store->id);
//                        });
//
// Any number of nodes may call at once, any number of times: all get the same answer.

#ifndef QUERN_CLUSTER_STORE_INCARNATION_H_
#define QUERN_CLUSTER_STORE_INCARNATION_H_

#include <cstdint>
#include <functional>
#include <string>

#include "quern/cluster/control_plane.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/random.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

struct StoreIdentity {
  uint64_t id = 0;      // random, never 0
  uint64_t number = 0;  // from 1; rises when the store is rebuilt

  bool operator==(const StoreIdentity&) const = default;
};

struct StoreIncarnationOptions {
  std::string cluster;
  Duration timeout = std::chrono::seconds(10);
  Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
};

// `done` is called once, on any thread. UNAVAILABLE: the store could not be reached in time.
// DATA_LOSS: the record is not a StoreIncarnation. CANCELLED: the plane was destroyed meanwhile.
// `plane` and `executor` (retries) must live until then. Thread-safe.
void OpenStoreIncarnation(ControlPlane& plane, Executor& executor, StoreIncarnationOptions options,
                          std::function<void(StatusOr<StoreIdentity>)> done);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_STORE_INCARNATION_H_
