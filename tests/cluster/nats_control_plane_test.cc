// What is particular to NATS: outages, late writes, set-up.

#include "quern/cluster/nats_control_plane.h"

#include <signal.h>

#include <atomic>
#include <future>

#include "control_plane_conformance.h"
#include "nats_test_server.h"
#include "quern/cluster/settle.h"
#include "quern/cluster/store_incarnation.h"
#include "thread_executor.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

// Waits for a log line of at least `level` that contains `words`.
class AwaitedLine : public Logger {
 public:
  AwaitedLine(LogLevel level, std::string words) : level_(level), words_(std::move(words)) {}

  bool IsOn(LogLevel level) const override { return level >= level_; }
  void Log(LogLevel level, std::string_view message, std::initializer_list<LogField>) override {
    if (level < level_ || message.find(words_) == std::string_view::npos) return;
    std::call_once(once_, [this] { seen_.set_value(); });
  }
  bool Await() { return seen_.get_future().wait_for(30s) == std::future_status::ready; }

 private:
  const LogLevel level_;
  const std::string words_;
  std::once_flag once_;
  std::promise<void> seen_;
};

NatsServerOptions OnFolder(const std::string& folder, uint16_t port = 0) {
  return {.data_folder = folder, .port = port};
}

TEST(NatsControlPlaneTest, APutDuringAnOutageIsRefusedUnsentAndNeverAppliedLater) {
  const TempFolder folder;
  auto server = NatsServer::Start(OnFolder(folder.path()));
  ASSERT_TRUE(server.ok()) << server.status();
  const uint16_t port = (*server)->port();
  AwaitedLine disconnected(LogLevel::kWarn, "disconnected");
  auto plane =
      NatsControlPlane::Connect({.url = (*server)->url(), .cluster = "c", .logger = &disconnected});
  ASSERT_TRUE(plane.ok()) << plane.status();
  Calls calls(**plane);
  const CasResult before = calls.Create("c.a", "before");
  WatchLog log;
  const auto watch = (*plane)->Watch(Table::kControl, "c", log.callback());
  ASSERT_TRUE(log.Await("done"));

  (*server)->Stop();
  ASSERT_TRUE(disconnected.Await());
  const CasResult updated = calls.Update("c.a", "during", before.revision);
  const CasResult created = calls.Create("c.b", "during");
  const auto read = calls.Get("c.a");
  server = NatsServer::Start(OnFolder(folder.path(), port));
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(log.Await("done", 2));

  EXPECT_STREQ(Name(updated.outcome), "unsent") << updated.detail;
  EXPECT_STREQ(Name(created.outcome), "unsent") << created.detail;
  EXPECT_TRUE(absl::IsUnavailable(read.status())) << read.status();
  EXPECT_EQ(calls.List("c"), "c.a=before");
  EXPECT_STREQ(Name(calls.Update("c.a", "after", before.revision).outcome), "applied");
}

TEST(NatsControlPlaneTest, AWriteToASilentServerIsUnknownAndMayBeAppliedLater) {
  NatsTestServer server;
  const auto plane = server.Connect({.url = {}, .cluster = "c"});
  Calls impatient(*plane, 300ms);
  Calls calls(*plane);
  const CasResult before = calls.Create("c.a", "before");

  kill(server.server().pid(), SIGSTOP);
  const CasResult silent = impatient.Update("c.a", "silent", before.revision);
  kill(server.server().pid(), SIGCONT);

  EXPECT_STREQ(Name(silent.outcome), "unknown") << silent.detail;
  // It was in the server's socket: it is applied before a write that follows it.
  const CasResult next = calls.Update("c.a", "next", before.revision);
  EXPECT_STREQ(Name(next.outcome), "refused") << next.detail;
  EXPECT_EQ(calls.Get("c.a")->value, "silent");
}

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

TEST(NatsControlPlaneTest, UnderLoadAKilledServerLosesNothingAcknowledgedAndAppliesNothingTwice) {
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

TEST(NatsControlPlaneTest, ManyMayConnectToAnEmptyServerAtOnceAndAgreeOnItsIncarnation) {
  NatsTestServer server;
  testing::ThreadExecutor executor;
  std::vector<std::future<std::string>> nodes;
  for (int i = 0; i < 8; ++i) {
    nodes.push_back(std::async(std::launch::async, [&] {
      auto plane = NatsControlPlane::Connect({.url = server.url(), .cluster = "c"});
      if (!plane.ok()) return plane.status().ToString();
      const auto identity = AwaitResult<StatusOr<StoreIdentity>>(
          [&](auto done) { OpenStoreIncarnation(**plane, executor, {.cluster = "c"}, done); });
      return identity.ok() ? std::to_string(identity->id) : identity.status().ToString();
    }));
  }

  const std::string first = nodes[0].get();
  EXPECT_NE(std::stoull(first), 0u);
  for (size_t i = 1; i < nodes.size(); ++i) EXPECT_EQ(nodes[i].get(), first);
}

TEST(NatsControlPlaneTest, AServerThatStartsLateIsWaitedFor) {
  const TempFolder folder;
  auto first = NatsServer::Start(OnFolder(folder.path()));
  ASSERT_TRUE(first.ok()) << first.status();
  const uint16_t port = (*first)->port();
  const std::string url = (*first)->url();
  first->reset();

  auto connecting = std::async(std::launch::async, [&] {
    return NatsControlPlane::Connect({.url = url, .cluster = "c", .connect_timeout = 60s});
  });
  const auto late = NatsServer::Start(OnFolder(folder.path(), port));
  ASSERT_TRUE(late.ok()) << late.status();
  const auto plane = connecting.get();

  ASSERT_TRUE(plane.ok()) << plane.status();
  EXPECT_STREQ(Name(Calls(**plane).Create("c.a", "1").outcome), "applied");
}

TEST(NatsControlPlaneTest, NoServerIsUnavailableAndTheAddressIsNamed) {
  const auto plane = NatsControlPlane::Connect(
      {.url = "nats://127.0.0.1:9", .cluster = "c", .connect_timeout = 300ms});

  EXPECT_TRUE(absl::IsUnavailable(plane.status())) << plane.status();
  EXPECT_NE(plane.status().ToString().find("127.0.0.1:9"), std::string::npos) << plane.status();
}

TEST(NatsControlPlaneTest, WrongOptionsAreNamed) {
  const auto connect = [](NatsControlPlaneOptions options) {
    return NatsControlPlane::Connect(std::move(options)).status();
  };
  const std::string url = "nats://127.0.0.1:9";
  EXPECT_TRUE(absl::IsInvalidArgument(connect({.url = "", .cluster = "c"})));
  EXPECT_TRUE(absl::IsInvalidArgument(connect({.url = ",", .cluster = "c"})));
  EXPECT_TRUE(absl::IsInvalidArgument(connect({.url = url})));
  EXPECT_TRUE(absl::IsInvalidArgument(connect({.url = url, .bucket = "a.b"})));
  EXPECT_TRUE(absl::IsInvalidArgument(connect({.url = url, .cluster = "c", .replicas = 0})));
  EXPECT_TRUE(absl::IsInvalidArgument(connect({.url = url, .cluster = "c", .lease_ttl = 0s})));
}

TEST(NatsControlPlaneTest, ClustersOfOneServerAreApart) {
  NatsTestServer server;
  const auto one = server.Connect({.url = {}, .cluster = "a_b"});
  const auto two = server.Connect({.url = {}, .cluster = "a.b"});
  Calls(*one).Create("k", "one");

  EXPECT_TRUE(absl::IsNotFound(Calls(*two).Get("k").status()));
  EXPECT_STREQ(Name(Calls(*two).Create("k", "two").outcome), "applied");
  EXPECT_EQ(Calls(*one).Get("k")->value, "one");
}

TEST(NatsControlPlaneTest, AServerThatLostItsDataIsNoticed) {
  const TempFolder folder;
  const TempFolder other;
  auto server = NatsServer::Start(OnFolder(folder.path()));
  ASSERT_TRUE(server.ok()) << server.status();
  const uint16_t port = (*server)->port();
  AwaitedLine lost(LogLevel::kError, "lost a bucket");
  auto plane =
      NatsControlPlane::Connect({.url = (*server)->url(), .cluster = "c", .logger = &lost});
  ASSERT_TRUE(plane.ok()) << plane.status();
  const CasResult before = Calls(**plane).Create("c.a", "1");
  EXPECT_FALSE((*plane)->store_recreated());

  (*server)->Stop();
  server = NatsServer::Start(OnFolder(other.path(), port));
  ASSERT_TRUE(server.ok()) << server.status();

  ASSERT_TRUE(lost.Await());
  EXPECT_TRUE((*plane)->store_recreated());
  const CasResult after = Calls(**plane).Update("c.a", "2", before.revision);
  EXPECT_STREQ(Name(after.outcome), "unsent") << after.detail;
}

TEST(NatsControlPlaneTest, ABucketThatWasRebuiltIsNoticed) {
  const TempFolder folder;
  const TempFolder other;
  auto server = NatsServer::Start(OnFolder(folder.path()));
  ASSERT_TRUE(server.ok()) << server.status();
  const uint16_t port = (*server)->port();
  AwaitedLine rebuilt(LogLevel::kError, "was rebuilt");
  auto plane =
      NatsControlPlane::Connect({.url = (*server)->url(), .cluster = "c", .logger = &rebuilt});
  ASSERT_TRUE(plane.ok()) << plane.status();

  (*server)->Stop();
  server = NatsServer::Start(OnFolder(other.path(), port));
  ASSERT_TRUE(server.ok()) << server.status();
  const auto newcomer = NatsControlPlane::Connect({.url = (*server)->url(), .cluster = "c"});
  ASSERT_TRUE(newcomer.ok()) << newcomer.status();
  (*server)->Stop();  // so that the first one reconnects
  server = NatsServer::Start(OnFolder(other.path(), port));
  ASSERT_TRUE(server.ok()) << server.status();

  ASSERT_TRUE(rebuilt.Await());
  EXPECT_TRUE((*plane)->store_recreated());
}

TEST(NatsControlPlaneTest, ALeaseThatTheBucketForgotIsReportedAsDeleted) {
  NatsTestServer server;
  const auto plane =
      server.Connect({.url = {}, .cluster = "c", .lease_ttl = 100ms, .watch_audit = 100ms});
  WatchLog log;
  const auto watch = plane->Watch(Table::kLease, "c.lease", log.callback());
  ASSERT_TRUE(log.Await("done"));

  Calls(*plane).Create("c.lease.a", "1", Table::kLease);

  ASSERT_TRUE(log.Await("deleted c.lease.a")) << log.Text();
  EXPECT_EQ(log.Text(), "done; put c.lease.a=1; deleted c.lease.a");
}

TEST(NatsControlPlaneTest, AWatchHandleMayOutliveItsPlane) {
  auto plane =
      SharedNatsServer::Get().Connect({.url = {}, .cluster = SharedNatsServer::NewCluster()});
  WatchLog log;
  auto watch = plane->Watch(Table::kControl, "c", log.callback());
  ASSERT_TRUE(log.Await("done"));

  plane.reset();
  watch.reset();

  EXPECT_EQ(log.Text(), "done");
}

TEST(NatsControlPlaneTest, AValueBeyondTheServersLimitIsNotSent) {
  const auto plane =
      SharedNatsServer::Get().Connect({.url = {}, .cluster = SharedNatsServer::NewCluster()});

  const CasResult result = Calls(*plane).Create("c.a", std::string(2'000'000, 'x'));

  EXPECT_STREQ(Name(result.outcome), "unsent") << result.detail;
}

// Figures, not a test: --gtest_also_run_disabled_tests --gtest_filter='*Throughput*'
TEST(NatsControlPlaneTest, DISABLED_Throughput) {
  const auto plane =
      SharedNatsServer::Get().Connect({.url = {}, .cluster = SharedNatsServer::NewCluster()});
  const auto elapsed_us = [](Time since) {
    return static_cast<double>((SystemClock().Now() - since) / 1us);
  };
  constexpr int kSequential = 5000;
  Calls calls(*plane);
  uint64_t revision = calls.Create("c.a", "0", Table::kState).revision;
  std::vector<double> latencies;
  for (int i = 0; i < kSequential; ++i) {
    const Time start = SystemClock().Now();
    revision = calls.Update("c.a", std::string(200, 'x'), revision, Table::kState).revision;
    latencies.push_back(elapsed_us(start));
  }
  std::ranges::sort(latencies);
  double sum = 0;
  for (const double latency : latencies) sum += latency;
  std::printf("sequential: %.0f CAS/s, p50 %.0f us, p99 %.0f us\n", kSequential / sum * 1e6,
              latencies[kSequential / 2], latencies[kSequential * 99 / 100]);

  for (const int keys : {8, 64, 512, 2000}) {
    constexpr int kWrites = 60'000;
    std::atomic<int> left{kWrites};
    std::promise<void> done;
    struct Key {
      std::string name;
      uint64_t revision = 0;
    };
    std::vector<Key> all(static_cast<size_t>(keys));
    for (int i = 0; i < keys; ++i) {
      all[static_cast<size_t>(i)].name = "c." + std::to_string(keys) + "." + std::to_string(i);
    }
    const Time start = SystemClock().Now();
    std::function<void(Key&)> write = [&](Key& key) {
      const auto took = [&](const CasResult& result) {
        EXPECT_STREQ(Name(result.outcome), "applied") << result.detail;
        key.revision = result.revision;
        const int now_left = --left;
        if (now_left == 0) return done.set_value();
        if (now_left >= keys) write(key);
      };
      if (key.revision == 0) {
        plane->Create(Table::kState, key.name, std::string(200, 'x'), 10s, took);
      } else {
        plane->Update(Table::kState, key.name, std::string(200, 'x'), key.revision, 10s, took);
      }
    };
    for (Key& key : all) write(key);
    done.get_future().wait();
    std::printf("%4d in flight: %.0f CAS/s\n", keys, kWrites / elapsed_us(start) * 1e6);
  }
}

}  // namespace
}  // namespace quern::cluster
