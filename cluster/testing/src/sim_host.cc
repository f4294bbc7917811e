#include "quern/testing/sim_host.h"

#include <utility>

namespace quern::testing {
namespace {

constexpr Duration kStoreTimeout = std::chrono::seconds(1);

Status NotHere(const GrainId& id) {
  return WithReason(absl::AbortedError(id.ToString() + " is not here"), Reason::kMoved);
}

}  // namespace

void SimHost::Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) {
  if (time_.Now() >= serving_until_) {
    executor_.Post([done] { done(absl::UnavailableError("fenced")); });
    return;
  }
  if (const auto found = activations_.find(id); found != activations_.end()) {
    executor_.Post([done, info = ActivationInfo{id, found->second->epoch, found->second->state}] {
      done(info);
    });
    return;
  }
  const auto activation = std::make_shared<Activation>();
  activation->epoch = epoch;
  activation->process = process_;
  activations_[id] = activation;
  store_.Claim(
      id, epoch, kStoreTimeout, [this, id, activation, done](StatusOr<ClaimedState> claimed) {
        executor_.Post([this, id, activation, done, claimed = std::move(claimed)] {
          const bool ended = activation->state == ActivationState::kDeactivating;
          if (!claimed.ok() || ended) {
            const auto found = activations_.find(id);
            if (found != activations_.end() && found->second == activation)
              activations_.erase(found);
            done(ended ? absl::UnavailableError("deactivated meanwhile") : claimed.status());
            return;
          }
          activation->claim = claimed->claim;
          activation->snapshot = claimed->snapshot;
          activation->state = ActivationState::kActive;
          if (activation->process == process_ && time_.Now() < serving_until_) {
            oracles_.Activated(node_, process_, id, activation->epoch);
          }
          done(ActivationInfo{id, activation->epoch, ActivationState::kActive});
        });
      });
}

void SimHost::Serve(const GrainId& id, const Epoch& epoch, ServeDone done) {
  const auto found = activations_.find(id);
  const bool here = found != activations_.end() && found->second->epoch == epoch &&
                    found->second->process == process_ &&
                    found->second->state == ActivationState::kActive;
  if (!here) return done(NotHere(id));
  found->second->queue.push_back(std::move(done));
  NextTurn(id, found->second);
}

void SimHost::NextTurn(const GrainId& id, const ActivationPtr& activation) {
  if (activation->saving) return;
  if (activation->queue.empty() || activation->state != ActivationState::kActive) {
    for (const ServeDone& done : std::exchange(activation->queue, {})) done(NotHere(id));
    if (activation->state == ActivationState::kDeactivating) End(id, activation);
    return;
  }
  const ServeDone done = std::move(activation->queue.front());
  activation->queue.pop_front();
  if (time_.Now() >= serving_until_) {
    done(absl::UnavailableError(id.ToString() + ": fenced"));
    return NextTurn(id, activation);
  }
  oracles_.Effect(node_, process_, id, activation->epoch);
  activation->saving = true;
  ++activation->snapshot.marks["events"];
  store_.Save(activation->claim, activation->snapshot, kStoreTimeout,
              [this, id, activation, done](StatusOr<StateClaim> saved) {
                executor_.Post([this, id, activation, done, saved = std::move(saved)] {
                  activation->saving = false;
                  if (saved.ok()) {
                    activation->claim = *saved;
                    oracles_.Acknowledged(id);
                    done(absl::OkStatus());
                  } else {
                    if (absl::IsAborted(saved.status())) ++refused_saves_;
                    activation->state = ActivationState::kDeactivating;
                    done(absl::FailedPreconditionError(std::string(saved.status().message())));
                  }
                  NextTurn(id, activation);
                });
              });
}

void SimHost::Deactivate(const GrainId& id) {
  const auto found = activations_.find(id);
  if (found == activations_.end()) return;
  const ActivationPtr activation = found->second;
  const bool starting = activation->state == ActivationState::kActivating;
  activation->state = ActivationState::kDeactivating;
  if (!starting) NextTurn(id, activation);
}

void SimHost::End(const GrainId& id, const ActivationPtr& activation) {
  const auto span = static_cast<uint64_t>(deactivation_max.count());
  executor_.PostAfter(Duration(span == 0 ? 0 : random_->Below(span)), [this, id, activation] {
    const auto found = activations_.find(id);
    if (found == activations_.end() || found->second != activation) return;
    activations_.erase(found);
    oracles_.Ended(node_, activation->process, id, activation->epoch);
    on_deactivated(id, activation->epoch);
  });
}

std::vector<GrainId> SimHost::active() const {
  std::vector<GrainId> ids;
  for (const auto& [id, activation] : activations_) {
    if (activation->state == ActivationState::kActive) ids.push_back(id);
  }
  return ids;
}

}  // namespace quern::testing
