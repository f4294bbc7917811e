// What must never happen in a cluster, watched from outside while it runs.
//
//   oracles.Effect("a", process, id, epoch);     // a turn of that activation is about to act
//   EXPECT_EQ(oracles.violations(), "");
//
// Per grain: epochs of activations grow, effects never go back, no two members that may serve have
// it active. Views: one id a version, a name and a process once in each, nobody is removed while
// it may serve. State: what was acknowledged is stored. Everything goes into a trace hash: the same
// seed gives the same hash.

#ifndef QUERN_TESTING_SIM_ORACLES_H_
#define QUERN_TESTING_SIM_ORACLES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "quern/cluster/view.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"

namespace quern::testing {

class SimOracles {
 public:
  using MayServe = std::function<bool(const remoting::ProcessId& process)>;

  // `may_serve`: the process lives and its lease is valid, as it believes itself.
  SimOracles(const Clock& clock, MayServe may_serve)
      : clock_(clock), may_serve_(std::move(may_serve)) {}

  void Activated(std::string_view node, const remoting::ProcessId& process, const GrainId& id,
                 const Epoch& epoch);
  void Ended(std::string_view node, const remoting::ProcessId& process, const GrainId& id,
             const Epoch& epoch);
  void Effect(std::string_view node, const remoting::ProcessId& process, const GrainId& id,
              const Epoch& epoch);
  void Acknowledged(const GrainId& id) { ++acknowledged_[id]; }
  void SeesView(std::string_view node, const cluster::View& view);
  void Died(const remoting::ProcessId& process);

  // `stored` events are in the grain's record, after `acknowledged` had been.
  void CheckStored(const GrainId& id, uint64_t acknowledged, uint64_t stored);

  // Anything worth being part of the trace.
  void Trace(std::string_view node, std::string_view event);

  void Fail(const std::string& what);

  // One a line; empty is good. The first sixteen are kept.
  const std::string& violations() const { return violations_; }
  uint64_t trace_hash() const { return hash_; }
  uint64_t effects() const { return effects_; }
  uint64_t activations() const { return activations_; }
  const std::map<GrainId, uint64_t>& acknowledged() const { return acknowledged_; }

 private:
  struct Grain {
    Epoch last_activated;
    Epoch last_effect;
    std::map<remoting::ProcessId, Epoch> active;
  };

  void CheckAlone(const Grain& grain, std::string_view node, const remoting::ProcessId& process,
                  const GrainId& id);
  void CheckRemovals(const cluster::View& before, const cluster::View& after);

  const Clock& clock_;
  const MayServe may_serve_;
  std::map<GrainId, Grain> grains_;
  std::map<uint64_t, cluster::View> views_;
  std::map<remoting::ProcessId, uint64_t> incarnations_;
  std::map<GrainId, uint64_t> acknowledged_;
  std::string violations_;
  int count_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t effects_ = 0;
  uint64_t activations_ = 0;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_ORACLES_H_
