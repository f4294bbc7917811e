#include "quern/cluster/tethered_control_plane.h"

#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace quern::cluster {

// Counts the callbacks that run, and lets none begin once it is cut.
class TetheredControlPlane::Tether {
 public:
  bool cut() const {
    absl::MutexLock lock(&mutex_);
    return cut_;
  }

  void Cut() {
    absl::MutexLock lock(&mutex_);
    cut_ = true;
    mutex_.Await(absl::Condition(+[](int* running) { return *running == 0; }, &running_));
  }

  template <typename Result>
  static std::function<void(Result)> Guard(const std::shared_ptr<Tether>& tether,
                                           std::function<void(Result)> done) {
    return [tether, done = std::move(done)](Result result) {
      if (!tether->Enter()) return;
      done(std::forward<Result>(result));
      tether->Leave();
    };
  }

 private:
  bool Enter() {
    absl::MutexLock lock(&mutex_);
    if (!cut_) ++running_;
    return !cut_;
  }
  void Leave() {
    absl::MutexLock lock(&mutex_);
    --running_;
  }

  mutable absl::Mutex mutex_;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

TetheredControlPlane::TetheredControlPlane(ControlPlane& plane)
    : plane_(plane), tether_(std::make_shared<Tether>()) {}

TetheredControlPlane::~TetheredControlPlane() { Cut(); }

void TetheredControlPlane::Cut() { tether_->Cut(); }

void TetheredControlPlane::Get(Table table, std::string_view key, Duration timeout,
                               GetCallback done) {
  if (!tether_->cut()) plane_.Get(table, key, timeout, Tether::Guard(tether_, std::move(done)));
}

void TetheredControlPlane::Create(Table table, std::string_view key, std::string value,
                                  Duration timeout, CasCallback done) {
  if (tether_->cut()) return;
  plane_.Create(table, key, std::move(value), timeout, Tether::Guard(tether_, std::move(done)));
}

void TetheredControlPlane::Update(Table table, std::string_view key, std::string value,
                                  uint64_t expected, Duration timeout, CasCallback done) {
  if (tether_->cut()) return;
  plane_.Update(table, key, std::move(value), expected, timeout,
                Tether::Guard(tether_, std::move(done)));
}

void TetheredControlPlane::Delete(Table table, std::string_view key, uint64_t expected,
                                  Duration timeout, CasCallback done) {
  if (tether_->cut()) return;
  plane_.Delete(table, key, expected, timeout, Tether::Guard(tether_, std::move(done)));
}

void TetheredControlPlane::List(Table table, std::string_view prefix, Duration timeout,
                                ListCallback done) {
  if (!tether_->cut()) plane_.List(table, prefix, timeout, Tether::Guard(tether_, std::move(done)));
}

std::unique_ptr<WatchHandle> TetheredControlPlane::Watch(Table table, std::string_view prefix,
                                                         WatchCallback on_event) {
  if (tether_->cut()) return std::make_unique<WatchHandle>();
  return plane_.Watch(table, prefix, Tether::Guard(tether_, std::move(on_event)));
}

}  // namespace quern::cluster
