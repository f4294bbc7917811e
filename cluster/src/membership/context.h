// What the parts of a Membership share, and how they stay safe from answers that come too late.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_CONTEXT_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_CONTEXT_H_

#include <functional>
#include <memory>
#include <utility>

#include "quern/cluster/keys.h"
#include "quern/cluster/membership.h"

namespace quern::cluster::internal {

struct MembershipContext {
  MembershipContext(MembershipOptions options_in, ControlPlane& records_in, ControlPlane& leases_in,
                    Executor& executor_in, Clock& clock_in, Random& random_in, Logger& logger_in,
                    MembershipPort* port_in)
      : options(std::move(options_in)),
        keys(options.cluster_id, options.store.id),
        records(records_in),
        leases(leases_in),
        executor(executor_in),
        clock(clock_in),
        random(random_in),
        logger(logger_in),
        port(port_in) {}

  // A callback for any thread that runs `function` on the executor, unless the membership is gone
  // or has begun a new incarnation by then.
  template <typename... Args>
  std::function<void(Args...)> Posted(std::function<void(Args...)> function) {
    return [this_executor = &executor, weak = std::weak_ptr<const int>(alive),
            function = std::move(function)](Args... args) {
      this_executor->Post([weak, function, ... args = std::move(args)] {
        if (!weak.expired()) function(args...);
      });
    };
  }

  Executor::TimerId After(Duration delay, std::function<void()> closure) {
    return executor.PostAfter(
        delay, [weak = std::weak_ptr<const int>(alive), closure = std::move(closure)] {
          if (!weak.expired()) closure();
        });
  }

  // Never zero.
  uint64_t Nonce() {
    uint64_t nonce = 0;
    while (nonce == 0) nonce = random.Next();
    return nonce;
  }

  MembershipOptions options;  // `self` changes with a new incarnation
  const KeySpace keys;
  ControlPlane& records;
  ControlPlane& leases;
  Executor& executor;
  Clock& clock;
  Random& random;
  Logger& logger;
  MembershipPort* const port;
  ViewPtr view;  // nullptr before the first

  std::shared_ptr<const int> alive = std::make_shared<const int>(0);
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_CONTEXT_H_
