// The caller's side of a grain call: finds where the grain is, sends the message there, and finds
// it again when it has moved. Order between one sender and one grain is kept: while a grain is
// being located its messages wait in line.
//
//   GrainCaller caller(options, locator, network, &port, executor, clock);
//   Delivery d = caller.Route(GrainId("cart", "alice"), std::move(message));
//
// What is retried within the ask's deadline, because it surely was not run: a grain that is no
// longer there (at most `redirects_max` times) and a node that could not be reached (with backoff).
// An unknown outcome is the asker's to judge.
//
// Route is thread-safe and never blocks or suspends; the rest runs on the executor.

#ifndef QUERN_CLUSTER_GRAIN_CALLER_H_
#define QUERN_CLUSTER_GRAIN_CALLER_H_

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/cluster/location_cache.h"
#include "quern/remoting/network.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/network_port.h"

namespace quern::cluster {

// Whoever knows where grains are: the directory of one's own cluster, or a gateway of another
// datacenter.
class Locator {
 public:
  virtual ~Locator() = default;

  // `stale` is the epoch of a location that was found to be wrong (zero: none). `done` runs once,
  // on the executor. Executor only.
  virtual void Locate(const GrainId& id, const Epoch& stale, Time deadline,
                      std::function<void(StatusOr<Location>)> done) = 0;
};

class GrainCaller {
 public:
  struct Options {
    int redirects_max = 3;
    Duration retry_first = std::chrono::milliseconds(20);
    Duration retry_max = std::chrono::milliseconds(500);
    size_t waiting_per_grain_max = 100'000;
    size_t locations_max = 1'000'000;
    // A tell to a grain that is being located is given up after this.
    Duration tell_patience = std::chrono::seconds(30);
  };

  // `local` is where grains of this process live; nullptr for a program that hosts none. All
  // outlive this object.
  GrainCaller(Options options, Locator& locator, remoting::Network& network, NetworkPort* local,
              Executor& executor, Clock& clock);
  ~GrainCaller();
  GrainCaller(const GrainCaller&) = delete;
  GrainCaller& operator=(const GrainCaller&) = delete;

  // kFull: too many messages wait for that grain's location. Otherwise accepted; what fails later
  // answers the ask, or dead-letters the tell.
  Delivery Route(const GrainId& id, Message message);

  // The activation with this epoch has ended: the next call asks where the grain is.
  void Forget(const GrainId& id, const Epoch& epoch);

  // That process has left the view.
  void ForgetProcess(const remoting::ProcessId& process);

  // What is returned tells whether every call that is under way now has ended. Thread-safe.
  std::function<bool()> EarlierCallsHaveEnded();

  // Fails what waits and whatever comes later with UNAVAILABLE. Executor only.
  void Stop();

 private:
  struct Call;
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_GRAIN_CALLER_H_
