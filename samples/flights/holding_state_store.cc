#include "flights/holding_state_store.h"

#include <utility>

namespace flights {

void HoldingStateStore::Hold(OnHeld on_held) {
  absl::MutexLock lock(&mutex_);
  on_held_ = std::move(on_held);
}

void HoldingStateStore::Release() {
  std::vector<std::function<void()>> saves;
  {
    absl::MutexLock lock(&mutex_);
    on_held_ = nullptr;
    saves.swap(held_);
  }
  for (const auto& save : saves) save();
}

void HoldingStateStore::Claim(const quern::GrainId& id, const quern::Epoch& epoch,
                              quern::Duration timeout,
                              std::function<void(quern::StatusOr<quern::ClaimedState>)> done) {
  inner_.Claim(id, epoch, timeout, std::move(done));
}

void HoldingStateStore::Save(const quern::StateClaim& claim, quern::StateSnapshot snapshot,
                             quern::Duration timeout,
                             std::function<void(quern::StatusOr<quern::StateClaim>)> done) {
  OnHeld on_held;
  {
    absl::MutexLock lock(&mutex_);
    on_held = on_held_;
    if (on_held) {
      held_.push_back([this, claim, snapshot = std::move(snapshot), timeout, done]() mutable {
        inner_.Save(claim, std::move(snapshot), timeout, std::move(done));
      });
    }
  }
  if (on_held) {
    on_held(claim.id);
  } else {
    inner_.Save(claim, std::move(snapshot), timeout, std::move(done));
  }
}

void HoldingStateStore::Clear(const quern::StateClaim& claim, quern::Duration timeout,
                              std::function<void(quern::StatusOr<quern::StateClaim>)> done) {
  inner_.Clear(claim, timeout, std::move(done));
}

}  // namespace flights
