// What is particular to NATS: outages, late writes, set-up.

#include "quern/cluster/nats_control_plane.h"

#include <signal.h>
#include <sys/wait.h>

#include <future>

#include "control_plane_conformance.h"
#include "nats_test_server.h"
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
  siginfo_t stopped{};
  const auto pid = static_cast<id_t>(server.server().pid());
  ASSERT_EQ(waitid(P_PID, pid, &stopped, WSTOPPED | WNOWAIT), 0);
  const CasResult silent = impatient.Update("c.a", "silent", before.revision);
  kill(server.server().pid(), SIGCONT);

  EXPECT_STREQ(Name(silent.outcome), "unknown") << silent.detail;
  // It was in the server's socket: it is applied before a write that follows it.
  const CasResult next = calls.Update("c.a", "next", before.revision);
  EXPECT_STREQ(Name(next.outcome), "refused") << next.detail;
  EXPECT_EQ(calls.Get("c.a")->value, "silent");
}

TEST(NatsControlPlaneTest, NodesWithDifferentLeaseTimesShareTheBucketOfTheLongest) {
  const auto connect = [cluster = SharedNatsServer::NewCluster()](Duration lease_ttl) {
    return SharedNatsServer::Get().Connect(
        {.url = {}, .cluster = cluster, .lease_ttl = lease_ttl, .watch_audit = 100ms});
  };
  const auto brief = connect(100ms);
  const auto lasting = connect(20s);
  const auto brief_again = connect(100ms);
  ASSERT_TRUE(brief && lasting && brief_again);

  Calls(*brief).Create("c.lease.a", "1", Table::kLease);
  WatchLog log;
  const auto watch = lasting->Watch(Table::kLease, "c.lease", log.callback());
  ASSERT_TRUE(log.Await("done"));

  // Ten brief leases later, in the bucket's own time: it still holds what it was given.
  EXPECT_FALSE(log.AwaitFor("deleted c.lease.a", 1500ms)) << log.Text();
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

}  // namespace
}  // namespace quern::cluster
