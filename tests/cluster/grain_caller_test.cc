#include "quern/cluster/grain_caller.h"

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_join.h>
#include <absl/synchronization/mutex.h>
#include <gtest/gtest.h>

#include "quern/quern.h"

namespace quern::cluster {
namespace {

struct Do {
  std::function<void()> what;
};
struct DoerApi : Protocol<void(Do)> {};
struct Doer : Actor<DoerApi> {
  void On(const Do& m) { m.what(); }
};

struct LineApi : Protocol<void(std::string)> {
  static constexpr std::string_view kKind = "line";
};
struct Line : Grain<LineApi> {
  explicit Line(std::vector<std::string>* lines) : lines_(lines) {}
  void On(const std::string& text) { lines_->push_back(text); }
  std::vector<std::string>* lines_;
};

// Runs what is posted when it is told to.
class QueueExecutor : public Executor {
 public:
  void Post(Closure closure) override {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(std::move(closure));
  }
  TimerId PostAfter(Duration, Closure) override { return 1; }
  bool Cancel(TimerId) override { return true; }
  void RunAll() {
    for (;;) {
      Closure next;
      {
        absl::MutexLock lock(&mutex_);
        if (queue_.empty()) return;
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      next();
    }
  }

 private:
  absl::Mutex mutex_;
  std::deque<Closure> queue_ ABSL_GUARDED_BY(mutex_);
};

// Takes every tell.
class TakingNetwork : public remoting::Network {
 public:
  Delivery Tell(const remoting::PeerAddress&, remoting::UserMessage) override {
    return Delivery::kAccepted;
  }
  void Ask(const remoting::PeerAddress&, remoting::UserMessage,
           std::function<void(remoting::UserReply)>) override {}
  void SendSystem(const remoting::PeerAddress&, remoting::SystemBody) override {}
  void CallSystem(const remoting::PeerAddress&, remoting::SystemBody, Duration,
                  std::function<void(StatusOr<remoting::SystemBody>)>) override {}
  void KeepSession(const remoting::PeerAddress&) override {}
  void ClosePeer(const remoting::ProcessId&, remoting::CloseReason) override {}
  void Probe(const remoting::PeerAddress&, Duration,
             std::function<void(remoting::ProbeResult)>) override {}
  void SetViewVersion(uint64_t) override {}
  void SetSendingUntil(Time) override {}
  void SetIncarnation(uint64_t) override {}
  const remoting::NodeIdentity& identity() const override { return identity_; }
  remoting::NetworkStats stats() const override { return {}; }
  void Stop() override {}

 private:
  remoting::NodeIdentity identity_;
};

// Everything but "a" is elsewhere at once; "a" is here when the test says so.
class HeldLocator : public Locator {
 public:
  HeldLocator() {
    here_.epoch.counter = elsewhere_.epoch.counter = 1;
    here_.is_local = true;
  }
  void Locate(const GrainId& id, const Epoch&, Time,
              std::function<void(StatusOr<Location>)> done) override {
    if (id.key != "a") return done(elsewhere_);
    held_.push_back(std::move(done));
  }
  size_t Release() {
    const auto held = std::exchange(held_, {});
    for (const auto& done : held) done(here_);
    return held.size();
  }

 private:
  Location here_;
  Location elsewhere_;
  std::vector<std::function<void(StatusOr<Location>)>> held_;
};

class GrainCallerTest : public ::testing::Test, public Router {
 protected:
  ~GrainCallerTest() override {
    port().SetRouter(nullptr);
    caller_.Stop();
    system_.Stop();
  }

  void SetUp() override {
    ASSERT_TRUE(system_.Host<Line>({}, &lines_).ok());
    port().SetRouter(this);
    port().Activate(GrainId("line", "a"), Epoch{.counter = 1},
                    [](const auto& info) { EXPECT_TRUE(info.ok()) << info.status(); });
    doer_ = system_.Spawn<Doer>("doer").value();
  }

  Delivery RouteGrain(const GrainId& target, Message message) override {
    ++routed_;
    return caller_.Route(target, std::move(message));
  }
  Delivery RouteActor(const std::string&, Message message) override {
    std::move(message).Fail(absl::UnimplementedError("no actors here"));
    return Delivery::kUnreachable;
  }
  void Spawn(std::string_view, std::string_view, std::string_view, std::string, Duration,
             std::function<void(StatusOr<std::string>)> done) override {
    done(absl::UnimplementedError("no spawns here"));
  }
  void OnDeactivated(const GrainId& id, const Epoch& epoch) override { caller_.Forget(id, epoch); }

  // By an actor.
  void Tell(const Ref<LineApi>& to, std::string text) {
    doer_.Tell(Do{[&] { EXPECT_EQ(to.Tell(text), Delivery::kAccepted); }});
    system_.WaitUntilQuiet();
    executor_.RunAll();
  }
  size_t Locate() {
    const size_t located = locator_.Release();
    system_.WaitUntilQuiet();
    return located;
  }
  // Whatever is asked for in one shard of the cache drives out what was there.
  void ForgetLocations() {
    for (int i = 0; i < 2000; ++i) {
      system_.Grain<LineApi>("other-" + std::to_string(i)).Tell(std::string("x"));
      executor_.RunAll();
    }
  }
  std::string Lines() const { return absl::StrJoin(lines_, ", "); }
  NetworkPort& port() { return system_.network_port(); }

  std::vector<std::string> lines_;
  std::atomic<int> routed_{0};
  System system_{SystemOptions{.name = "caller", .workers = 1}};
  QueueExecutor executor_;
  TakingNetwork network_;
  HeldLocator locator_;
  GrainCaller caller_{GrainCaller::Options{.locations_max = 1},
                      locator_,
                      network_,
                      &port(),
                      executor_,
                      system_.clock()};
  Ref<DoerApi> doer_;
  Ref<LineApi> kept_ = system_.Grain<LineApi>("a");
};

TEST_F(GrainCallerTest, WhatIsLocatedHereIsReachedPastTheCaller) {
  Tell(kept_, "in line");
  EXPECT_EQ(Locate(), 1u);
  Tell(kept_, "located");
  routed_ = 0;

  Tell(kept_, "straight");

  EXPECT_EQ(routed_, 0);
  EXPECT_EQ(Lines(), "in line, located, straight");
}

TEST_F(GrainCallerTest, NothingOvertakesWhatWaitsInLine) {
  Tell(kept_, "in line");
  Locate();
  Tell(kept_, "located");
  ForgetLocations();
  Tell(kept_, "straight");

  Tell(system_.Grain<LineApi>("a"), "in line again");
  Tell(kept_, "behind it");

  EXPECT_EQ(Lines(), "in line, located, straight");
  EXPECT_EQ(Locate(), 1u);
  Tell(kept_, "located again");
  routed_ = 0;
  Tell(kept_, "straight again");
  EXPECT_EQ(routed_, 0);
  EXPECT_EQ(Lines(),
            "in line, located, straight, in line again, behind it, located again, straight again");
}

TEST_F(GrainCallerTest, AnEndedActivationIsLocatedAnew) {
  Tell(kept_, "in line");
  Locate();
  Tell(kept_, "located");
  port().Deactivate(GrainId("line", "a"), absl::OkStatus());
  system_.WaitUntilQuiet();

  Tell(kept_, "in line again");

  EXPECT_EQ(Lines(), "in line, located");
  port().Activate(GrainId("line", "a"), Epoch{.counter = 2}, [](const auto&) {});
  EXPECT_EQ(Locate(), 1u);  // with the epoch of old: refused, and asked for once more
  EXPECT_EQ(Lines(), "in line, located");
}

}  // namespace
}  // namespace quern::cluster
