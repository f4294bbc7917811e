// A grain host without a runtime: activations claim their state, count events, save after each, and
// take their time to start and to end. What it serves is told to the oracles.

#ifndef QUERN_TESTING_SIM_HOST_H_
#define QUERN_TESTING_SIM_HOST_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quern/runtime/network_port.h"
#include "quern/runtime/random.h"
#include "quern/runtime/state_store.h"
#include "quern/testing/sim_oracles.h"
#include "quern/testing/virtual_time.h"

namespace quern::testing {

class SimHost {
 public:
  using ActivateDone = std::function<void(StatusOr<ActivationInfo>)>;
  using ServeDone = std::function<void(Status)>;

  SimHost(std::string node, VirtualTime& time, VirtualExecutor& executor,
          std::unique_ptr<Random> random, StateStore& store, SimOracles& oracles)
      : node_(std::move(node)),
        time_(time),
        executor_(executor),
        random_(std::move(random)),
        store_(store),
        oracles_(oracles) {}

  std::function<void(const GrainId&, const Epoch&)> on_deactivated;

  void SetProcess(const remoting::ProcessId& process) { process_ = process; }
  void SetServingUntil(Time until) { serving_until_ = until; }
  Time serving_until() const { return serving_until_; }

  // As NetworkPort::Activate.
  void Activate(const GrainId& id, const Epoch& epoch, ActivateDone done);

  // Ends once what it is doing is done.
  void Deactivate(const GrainId& id);

  // One turn: an event is counted and saved. ABORTED with reason moved: not here under that epoch.
  // UNAVAILABLE: fenced, not run. Other failures: the save was refused or unknown; the activation
  // ends.
  void Serve(const GrainId& id, const Epoch& epoch, ServeDone done);

  std::vector<GrainId> active() const;
  uint64_t refused_saves() const { return refused_saves_; }

  // How long activations take to end, at most.
  Duration deactivation_max = std::chrono::milliseconds(20);

 private:
  struct Activation {
    Epoch epoch;
    remoting::ProcessId process{};
    ActivationState state = ActivationState::kActivating;
    StateClaim claim;
    StateSnapshot snapshot;
    bool saving = false;
    std::deque<ServeDone> queue;
  };
  using ActivationPtr = std::shared_ptr<Activation>;  // answers of the store may outlive the entry

  void NextTurn(const GrainId& id, const ActivationPtr& activation);
  void End(const GrainId& id, const ActivationPtr& activation);

  const std::string node_;
  VirtualTime& time_;
  VirtualExecutor& executor_;
  const std::unique_ptr<Random> random_;
  StateStore& store_;
  SimOracles& oracles_;
  remoting::ProcessId process_{};
  Time serving_until_ = Time::min();
  std::map<GrainId, ActivationPtr> activations_;
  uint64_t refused_saves_ = 0;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_SIM_HOST_H_
