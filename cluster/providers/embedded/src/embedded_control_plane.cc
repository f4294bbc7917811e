#include "quern/cluster/embedded_control_plane.h"

#include <algorithm>
#include <utility>

#include "embedded_state.h"
#include "quern/cluster/keys.h"

namespace quern::cluster {
namespace {

class EmbeddedWatchHandle : public WatchHandle {
 public:
  explicit EmbeddedWatchHandle(std::shared_ptr<EmbeddedWatch> watch) : watch_(std::move(watch)) {}
  ~EmbeddedWatchHandle() override { watch_->Close(); }

 private:
  const std::shared_ptr<EmbeddedWatch> watch_;
};

}  // namespace

bool EmbeddedWatch::Wants(Table table, std::string_view key) const {
  return table == table_ && KeyHasPrefix(key, prefix_);
}

void EmbeddedWatch::Push(WatchEvent event, Duration latency) {
  if (gate_.closed()) return;
  {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(std::move(event));
  }
  executor_.PostAfter(latency, [self = shared_from_this()] { self->DeliverOne(); });
}

void EmbeddedWatch::DropQueue() {
  absl::MutexLock lock(&mutex_);
  queue_.clear();
}

void EmbeddedWatch::DeliverOne() {
  WatchEvent event;
  {
    absl::MutexLock lock(&mutex_);
    if (queue_.empty()) return;
    event = std::move(queue_.front());
    queue_.pop_front();
  }
  gate_.Run([&] { on_event_(event); });
}

uint64_t EmbeddedPlaneState::Register(EmbeddedReply at_timeout, Duration timeout, Done done) {
  absl::MutexLock lock(&mutex_);
  const uint64_t id = ++last_id_;
  Outstanding& entry = outstanding_[id];
  entry.done = std::move(done);
  entry.at_timeout = std::move(at_timeout);
  entry.timer = executor_.PostAfter(timeout, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->Resolve(id, nullptr);
  });
  return id;
}

void EmbeddedPlaneState::Submit(EmbeddedRequest request, EmbeddedReply at_timeout, Duration timeout,
                                Done done) {
  const uint64_t id = Register(std::move(at_timeout), timeout, std::move(done));
  store_->Accept(weak_from_this(), node_, id, std::move(request));
}

void EmbeddedPlaneState::Refuse(EmbeddedReply reply, Done done) {
  Register(std::move(reply), Duration::zero(), std::move(done));
}

void EmbeddedPlaneState::Answer(uint64_t id, EmbeddedReply reply, uint64_t cuts, Duration latency) {
  executor_.PostAfter(latency,
                      [weak = weak_from_this(), id, cuts, answer = std::move(reply)]() mutable {
                        const auto self = weak.lock();
                        if (!self || self->store_->cuts(self->node_) != cuts) return;
                        self->Resolve(id, &answer);
                      });
}

void EmbeddedPlaneState::Resolve(uint64_t id, EmbeddedReply* reply) {
  Outstanding entry;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = outstanding_.find(id);
    if (found == outstanding_.end()) return;
    entry = std::move(found->second);
    outstanding_.erase(found);
    answering_.push_back(std::this_thread::get_id());
  }
  if (reply != nullptr) executor_.Cancel(entry.timer);
  entry.done(reply != nullptr ? std::move(*reply) : std::move(entry.at_timeout));
  absl::MutexLock lock(&mutex_);
  answering_.erase(std::ranges::find(answering_, std::this_thread::get_id()));
}

void EmbeddedPlaneState::Close() {
  std::map<uint64_t, Outstanding> open;
  {
    absl::MutexLock lock(&mutex_);
    open.swap(outstanding_);
  }
  const Status closed = absl::CancelledError("the control plane was closed");
  for (auto& [id, entry] : open) {
    executor_.Cancel(entry.timer);
    if (std::holds_alternative<CasResult>(entry.at_timeout)) {
      entry.done(CasResult{CasOutcome::kUnknown, 0, std::string(closed.message())});
    } else if (std::holds_alternative<StatusOr<Record>>(entry.at_timeout)) {
      entry.done(StatusOr<Record>(closed));
    } else {
      entry.done(StatusOr<std::vector<Record>>(closed));
    }
  }
  const auto others_are_out = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return std::ranges::all_of(
        answering_, [](std::thread::id thread) { return thread == std::this_thread::get_id(); });
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&others_are_out));
}

EmbeddedControlPlane::EmbeddedControlPlane(Executor& executor)
    : EmbeddedControlPlane(
          std::make_shared<EmbeddedStoreState>(executor, SeededRandom(1), EmbeddedStoreOptions{}),
          "", executor) {}

EmbeddedControlPlane::EmbeddedControlPlane(std::shared_ptr<EmbeddedStoreState> store,
                                           std::string node, Executor& executor)
    : state_(std::make_shared<EmbeddedPlaneState>(std::move(store), std::move(node), executor)) {}

EmbeddedControlPlane::~EmbeddedControlPlane() { state_->Close(); }

namespace {

void SubmitCas(EmbeddedPlaneState& state, EmbeddedMutation mutation, Duration timeout,
               ControlPlane::CasCallback done) {
  if (Status valid = ValidateKey(mutation.key); !valid.ok()) {
    return state.Refuse(CasResult{CasOutcome::kUnsent, 0, std::string(valid.message())},
                        [done = std::move(done)](EmbeddedReply reply) {
                          done(std::get<CasResult>(std::move(reply)));
                        });
  }
  state.Submit(std::move(mutation), CasResult{CasOutcome::kUnknown, 0, "no answer in time"},
               timeout, [done = std::move(done)](EmbeddedReply reply) {
                 done(std::get<CasResult>(std::move(reply)));
               });
}

}  // namespace

void EmbeddedControlPlane::Get(Table table, std::string_view key, Duration timeout,
                               GetCallback done) {
  if (Status valid = ValidateKey(key); !valid.ok()) {
    return state_->Refuse(StatusOr<Record>(valid), [done = std::move(done)](EmbeddedReply reply) {
      done(std::get<StatusOr<Record>>(std::move(reply)));
    });
  }
  const Status late = absl::DeadlineExceededError("no answer in time");
  state_->Submit(EmbeddedRead{table, std::string(key), false}, StatusOr<Record>(late), timeout,
                 [done = std::move(done)](EmbeddedReply reply) {
                   done(std::get<StatusOr<Record>>(std::move(reply)));
                 });
}

void EmbeddedControlPlane::Create(Table table, std::string_view key, std::string value,
                                  Duration timeout, CasCallback done) {
  SubmitCas(*state_, {table, std::string(key), std::move(value), true, 0}, timeout,
            std::move(done));
}

void EmbeddedControlPlane::Update(Table table, std::string_view key, std::string value,
                                  uint64_t expected, Duration timeout, CasCallback done) {
  SubmitCas(*state_, {table, std::string(key), std::move(value), false, expected}, timeout,
            std::move(done));
}

void EmbeddedControlPlane::Delete(Table table, std::string_view key, uint64_t expected,
                                  Duration timeout, CasCallback done) {
  SubmitCas(*state_, {table, std::string(key), std::nullopt, false, expected}, timeout,
            std::move(done));
}

void EmbeddedControlPlane::List(Table table, std::string_view prefix, Duration timeout,
                                ListCallback done) {
  const Status late = absl::DeadlineExceededError("no answer in time");
  state_->Submit(EmbeddedRead{table, std::string(prefix), true},
                 StatusOr<std::vector<Record>>(late), timeout,
                 [done = std::move(done)](EmbeddedReply reply) {
                   done(std::get<StatusOr<std::vector<Record>>>(std::move(reply)));
                 });
}

std::unique_ptr<WatchHandle> EmbeddedControlPlane::Watch(Table table, std::string_view prefix,
                                                         WatchCallback on_event) {
  auto watch = std::make_shared<EmbeddedWatch>(table, std::string(prefix), state_->executor(),
                                               std::move(on_event));
  state_->store().AddWatch(state_->node(), watch);
  return std::make_unique<EmbeddedWatchHandle>(std::move(watch));
}

}  // namespace quern::cluster
