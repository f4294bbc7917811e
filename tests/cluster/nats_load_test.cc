// The NATS provider under load: nothing acknowledged is lost across a killed server, and figures.

#include <atomic>
#include <future>

#include "control_plane_conformance.h"
#include "nats_test_server.h"
#include "quern/cluster/control_plane_state_store.h"
#include "quern/cluster/nats_control_plane.h"
#include "quern/runtime/random.h"
#include "thread_executor.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

// Adds one to a record by compare-and-set until told to stop, settling what is left unknown, and
// keeps count of what must therefore stand there.
class SettlingCounter {
 public:
  SettlingCounter(ControlPlane& plane, std::string key, uint64_t seed)
      : plane_(plane), key_(std::move(key)), random_(SeededRandom(seed)) {
    nonce_ = random_->Next();
    Create();
  }

  // "exact" when the record holds as many additions as this counter knows of.
  std::string StopAndCheck() {
    stop_ = true;
    ended_.get_future().wait();
    const auto record = Calls(plane_).Get(key_, Table::kState);
    if (!record.ok()) return record.status().ToString();
    if (record->value.starts_with(std::to_string(count()) + ":")) return "exact";
    return "the record holds " + record->value + ", should " + std::to_string(count());
  }
  // False when it has not come so far within half a minute.
  bool AwaitCount(int count) {
    std::unique_lock lock(mutex_);
    return counted_.wait_for(lock, 30s, [&] { return count_ >= count; });
  }
  int count() const {
    std::lock_guard lock(mutex_);
    return count_;
  }
  int unknowns() const { return unknowns_; }

 private:
  // The record: "<count>:<nonce>".
  std::string Value() const { return std::to_string(count() + 1) + ":" + std::to_string(nonce_); }

  void Create() {
    plane_.Create(Table::kState, key_, Value(), 500ms, [this](CasResult r) { Took(r); });
  }

  void Offer() {
    if (revision_ == 0) return Create();
    plane_.Update(Table::kState, key_, Value(), revision_, 500ms, [this](CasResult r) { Took(r); });
  }

  void Took(const CasResult& result) {
    switch (result.outcome) {
      case CasOutcome::kApplied:
        return Applied(result.revision);
      case CasOutcome::kUnsent:
        return Later([this] { Offer(); });
      case CasOutcome::kUnknown:
        ++unknowns_;
        return Later([this] { Settle(); });
      case CasOutcome::kRefused:
        return Later([this] { Settle(); });
    }
  }

  void Settle() {
    plane_.Get(Table::kState, key_, 500ms, [this](StatusOr<Record> record) {
      if (absl::IsNotFound(record.status())) return Offer();
      if (!record.ok()) return Later([this] { Settle(); });
      const uint64_t nonce = std::stoull(record->value.substr(record->value.find(':') + 1));
      if (nonce == nonce_) return Applied(record->revision);
      if (record->revision == revision_) return Offer();
      ADD_FAILURE() << key_ << " was written by another";
      ended_.set_value();
    });
  }

  void Applied(uint64_t revision) {
    {
      std::lock_guard lock(mutex_);
      ++count_;
    }
    counted_.notify_all();
    revision_ = revision;
    nonce_ = random_->Next();
    if (stop_) return ended_.set_value();
    Offer();
  }

  void Later(std::function<void()> step) { pause_.PostAfter(10ms, std::move(step)); }

  ControlPlane& plane_;
  const std::string key_;
  const std::unique_ptr<Random> random_;
  std::atomic<bool> stop_{false};
  std::promise<void> ended_;
  uint64_t revision_ = 0;
  uint64_t nonce_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable counted_;
  int count_ = 0;
  std::atomic<int> unknowns_{0};
  testing::ThreadExecutor pause_;
};

TEST(NatsLoadTest, UnderLoadAKilledServerLosesNothingAcknowledgedAndAppliesNothingTwice) {
  NatsTestServer server;
  const auto plane = server.Connect({.url = {}, .cluster = "c"});
  const auto observer = server.Connect({.url = {}, .cluster = "c"});
  WatchLog log;
  const auto watch = observer->Watch(Table::kState, "c", log.callback());
  ASSERT_TRUE(log.Await("done"));
  std::vector<std::unique_ptr<SettlingCounter>> counters;
  for (uint64_t i = 0; i < 16; ++i) {
    counters.push_back(
        std::make_unique<SettlingCounter>(*plane, "c.k" + std::to_string(i), 100 + i));
  }

  for (int kill = 1; kill <= 4; ++kill) {
    const int before = counters[0]->count();
    server.KillAndAwaitRestart();
    EXPECT_TRUE(counters[0]->AwaitCount(before + 50)) << "no progress in life " << kill;
    EXPECT_TRUE(log.Await("done", static_cast<size_t>(kill) + 1)) << "life " << kill;
  }

  int unknowns = 0;
  int writes = 0;
  for (const auto& counter : counters) {
    EXPECT_EQ(counter->StopAndCheck(), "exact");
    unknowns += counter->unknowns();
    writes += counter->count();
  }
  for (size_t i = 0; i < counters.size(); ++i) {
    const std::string key = "c.k" + std::to_string(i);
    const auto record = Calls(*plane).Get(key, Table::kState);
    EXPECT_TRUE(log.AwaitValue(key, record->value)) << key;
  }
  EXPECT_TRUE(log.revisions_never_fell());
  RecordProperty("writes", writes);
  RecordProperty("unknown_outcomes", unknowns);
}

// An activation that saves its count again and again; every save must be answered with OK.
class SavingOwner {
 public:
  SavingOwner(StateStore& store, GrainId id, int saves) : store_(store), left_(saves) {
    store_.Claim(id, Epoch{0, 1, 1, 1}, 60s, [this](StatusOr<ClaimedState> claimed) {
      if (!claimed.ok()) return End(claimed.status());
      Save(claimed->claim);
    });
  }
  // "OK", or the first failure.
  std::string Await() { return ended_.get_future().get().ToString(); }

 private:
  void Save(const StateClaim& claim) {
    if (left_ == 0) return End(absl::OkStatus());
    StateSnapshot snapshot;
    snapshot.marks["reader"] = static_cast<uint64_t>(left_--);
    store_.Save(claim, std::move(snapshot), 60s, [this](StatusOr<StateClaim> saved) {
      if (!saved.ok()) return End(saved.status());
      Save(*saved);
    });
  }
  void End(Status status) { ended_.set_value(std::move(status)); }

  StateStore& store_;
  int left_;
  std::promise<Status> ended_;
};

TEST(NatsLoadTest, SavesOfManyGrainsRideOverAKilledServer) {
  constexpr int kGrains = 40;
  constexpr int kSaves = 150;
  NatsTestServer server;
  testing::ThreadExecutor executor;
  const auto plane = server.Connect({.url = {}, .cluster = "c"});
  ControlPlaneStateStore store(*plane, executor, {.cluster = "c", .writer = "p"});
  std::vector<std::unique_ptr<SavingOwner>> owners;
  for (int i = 0; i < kGrains; ++i) {
    owners.push_back(std::make_unique<SavingOwner>(store, GrainId("k", std::to_string(i)), kSaves));
  }

  server.KillAndAwaitRestart();
  server.KillAndAwaitRestart();
  for (const auto& owner : owners) EXPECT_EQ(owner->Await(), "OK");

  for (int i = 0; i < kGrains; ++i) {
    const auto claimed = AwaitResult<StatusOr<ClaimedState>>([&](auto done) {
      store.Claim(GrainId("k", std::to_string(i)), Epoch{0, 1, 1, 2}, 60s, done);
    });
    ASSERT_TRUE(claimed.ok()) << claimed.status();
    EXPECT_EQ(claimed->snapshot.marks.at("reader"), 1u);
  }
  EXPECT_EQ(store.refused_writes(), 0u);
}

}  // namespace
}  // namespace quern::cluster
