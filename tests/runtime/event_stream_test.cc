#include "quern/runtime/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using namespace std::chrono_literals;

struct Shipped {
  int order;
};
struct Unrelated {};
struct Ping {};
struct Crash {};
struct Seen {};
struct PullOne {
  Duration timeout;
};

struct WorkApi : Protocol<int(Ping), void(Crash)> {};
struct Work : Actor<WorkApi> {
  int On(const Ping&) { return 1; }
  void On(const Crash&) { throw std::runtime_error("crash"); }
};

// Has an event among its messages, and pulls others itself.
struct AuditApi : Protocol<void(Shipped), std::vector<int>(Seen), std::string(PullOne)> {};
struct Audit : Actor<AuditApi> {
  explicit Audit(EventStream* events) : events_(events) {}
  void On(const Shipped& m) { orders_.push_back(m.order); }
  std::vector<int> On(const Seen&) { return orders_; }
  StatusOr<std::string> On(const PullOne& m) {
    auto queue = events_->Subscribe<ActorStopped>();
    if (!queue.ok()) return queue.status();
    StatusOr<ActorStopped> event = queue->Next(m.timeout);
    if (!event.ok()) return event.status();
    return event->path;
  }

  EventStream* events_;
  std::vector<int> orders_;
};

class EventStreamTest : public ::testing::Test {
 protected:
  std::vector<int> Drain(EventQueue<Shipped>& queue) {
    std::vector<int> orders;
    while (std::optional<Shipped> event = queue.TryNext()) orders.push_back(event->order);
    return orders;
  }

  FakeClock clock_;
  CollectingLogger logger_;
  System system_{SystemOptions{.name = "test", .workers = 2, .clock = &clock_, .logger = &logger_}};
  EventStream& events_ = system_.events();
};

TEST_F(EventStreamTest, AQueueGetsTheEventsOfItsTypeInOrder) {
  auto queue = events_.Subscribe<Shipped>().value();

  events_.Publish(Shipped{1});
  events_.Publish(Unrelated{});
  events_.Publish(Shipped{2});

  EXPECT_THAT(Drain(queue), ElementsAre(1, 2));
}

TEST_F(EventStreamTest, AFilterPassesWhatItWants) {
  auto queue =
      events_.Subscribe<Shipped>({.filter = [](const Shipped& e) { return e.order % 2 == 0; }})
          .value();

  for (int i = 0; i < 6; ++i) events_.Publish(Shipped{i});

  EXPECT_THAT(Drain(queue), ElementsAre(0, 2, 4));
}

TEST_F(EventStreamTest, AFullQueueDropsTheOldestAndCounts) {
  auto queue = events_.Subscribe<Shipped>({.filter = nullptr, .capacity = 2}).value();

  for (int i = 0; i < 5; ++i) events_.Publish(Shipped{i});

  EXPECT_EQ(queue.dropped(), 3u);
  EXPECT_THAT(Drain(queue), ElementsAre(3, 4));
}

TEST_F(EventStreamTest, AFullQueueDropsTheNewestIfAskedTo) {
  auto queue =
      events_
          .Subscribe<Shipped>({.filter = nullptr, .capacity = 2, .overflow = Overflow::kDropNewest})
          .value();

  for (int i = 0; i < 5; ++i) events_.Publish(Shipped{i});

  EXPECT_EQ(queue.dropped(), 3u);
  EXPECT_THAT(Drain(queue), ElementsAre(0, 1));
}

TEST_F(EventStreamTest, AnActorGetsEventsAsMessages) {
  auto audit = system_.Spawn<Audit>("audit", &events_).value();
  auto subscription = events_.Subscribe<Shipped>(audit).value();

  events_.Publish(Shipped{1});
  events_.Publish(Shipped{2});

  EXPECT_THAT(audit.Ask(Seen{}).value(), ElementsAre(1, 2));
  EXPECT_TRUE(subscription.active());
}

TEST_F(EventStreamTest, ASubscriptionEndsWithItsActor) {
  auto audit = system_.Spawn<Audit>("audit", &events_).value();
  auto subscription = events_.Subscribe<Shipped>(audit).value();
  audit.Stop();
  system_.WaitUntilQuiet();

  events_.Publish(Shipped{1});

  EXPECT_FALSE(subscription.active());
  EXPECT_FALSE(events_.Wanted<Shipped>());
}

TEST_F(EventStreamTest, ACallbackRunsUntilItsSubscriptionIsDestroyed) {
  std::vector<int> orders;
  {
    auto subscription =
        events_.Subscribe<Shipped>([&](const Shipped& e) { orders.push_back(e.order); }).value();
    events_.Publish(Shipped{1});
  }

  events_.Publish(Shipped{2});

  EXPECT_THAT(orders, ElementsAre(1));
}

TEST_F(EventStreamTest, AThrowingCallbackIsContainedAndCounted) {
  auto bad = events_.Subscribe<Shipped>([](const Shipped&) { throw std::runtime_error("bad"); });
  auto queue = events_.Subscribe<Shipped>().value();

  events_.Publish(Shipped{1});

  EXPECT_EQ(bad.value().dropped(), 1u);
  EXPECT_TRUE(bad.value().active());
  EXPECT_THAT(Drain(queue), ElementsAre(1));
}

TEST_F(EventStreamTest, NobodySubscribedMakesNoEvent) {
  int made = 0;
  const auto make = [&] { return Shipped{++made}; };

  events_.PublishWith(make);
  {
    auto queue = events_.Subscribe<Shipped>().value();
  }
  events_.PublishWith(make);

  EXPECT_EQ(made, 0);
}

TEST_F(EventStreamTest, NextWaitsOnAPlainThread) {
  auto queue = events_.Subscribe<Shipped>().value();
  StatusOr<Shipped> got = absl::UnknownError("");
  std::thread reader([&] { got = queue.Next(); });

  events_.Publish(Shipped{7});
  reader.join();

  EXPECT_EQ(got.value().order, 7);
}

TEST_F(EventStreamTest, NextWaitsInAHandler) {
  auto audit = system_.Spawn<Audit>("audit", &events_).value();
  auto work = system_.Spawn<Work>("work").value();
  StatusOr<std::string> got = absl::UnknownError("");
  std::thread asker([&] { got = audit.Ask(PullOne{EventQueue<ActorStopped>::kNoTimeout}); });
  while (!events_.Wanted<ActorStopped>()) std::this_thread::yield();

  work.Stop();
  asker.join();

  EXPECT_EQ(got.value(), "/work");
}

TEST_F(EventStreamTest, NextEndsAtItsTimeout) {
  auto queue = events_.Subscribe<Shipped>().value();
  auto audit = system_.Spawn<Audit>("audit", &events_).value();

  EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Next(0s).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(audit.Ask(PullOne{0s}).status()));
}

TEST_F(EventStreamTest, AStopCancelsAHandlerThatWaitsForAnEvent) {
  auto audit = system_.Spawn<Audit>("audit", &events_).value();
  Status got;
  std::thread asker(
      [&] { got = audit.Ask(PullOne{EventQueue<ActorStopped>::kNoTimeout}).status(); });
  while (!events_.Wanted<ActorStopped>()) std::this_thread::yield();

  audit.Stop();
  asker.join();

  EXPECT_TRUE(absl::IsCancelled(got)) << got;
}

TEST_F(EventStreamTest, AQueueOutlivesItsSystem) {
  std::optional<System> system(std::in_place, "short");
  auto queue = system->events().Subscribe<Shipped>().value();
  system->events().Publish(Shipped{1});

  system.reset();

  EXPECT_EQ(queue.Next().value().order, 1);
  EXPECT_TRUE(absl::IsUnavailable(queue.Next().status()));
}

TEST_F(EventStreamTest, AfterTheStopNothingCanBeSubscribed) {
  system_.Stop();

  EXPECT_TRUE(absl::IsUnavailable(events_.Subscribe<Shipped>().status()));
  EXPECT_TRUE(absl::IsUnavailable(events_.Subscribe<Shipped>([](const Shipped&) {}).status()));
}

TEST_F(EventStreamTest, CapacityIsBounded) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      events_.Subscribe<Shipped>({.filter = nullptr, .capacity = 0}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      events_.Subscribe<Shipped>({.filter = nullptr, .capacity = kEventQueueMax + 1}).status()));
}

TEST_F(EventStreamTest, AnEmptyRefCannotSubscribe) {
  EXPECT_TRUE(absl::IsInvalidArgument(events_.Subscribe<Shipped>(Ref<AuditApi>()).status()));
}

TEST_F(EventStreamTest, SubscriptionsAreBounded) {
  std::vector<EventQueue<Shipped>> queues;
  for (size_t i = 0; i < kEventSubscriptionsMax; ++i) {
    queues.push_back(events_.Subscribe<Shipped>().value());
  }

  EXPECT_TRUE(absl::IsResourceExhausted(events_.Subscribe<Unrelated>().status()));
  queues.pop_back();
  EXPECT_TRUE(events_.Subscribe<Unrelated>().ok());
}

TEST_F(EventStreamTest, TheLifeOfAnActorIsTold) {
  std::vector<std::string> told;
  absl::Mutex mutex;
  const auto tell = [&](std::string what, const auto& e) {
    EXPECT_THAT(e.actor_class, ::testing::EndsWith("Work"));
    absl::MutexLock lock(&mutex);
    told.push_back(std::move(what) + " " + e.path);
  };
  auto a = events_.Subscribe<ActorStarted>([&](const ActorStarted& e) { tell("started", e); });
  auto b = events_.Subscribe<ActorFailed>([&](const ActorFailed& e) { tell("failed", e); });
  auto c =
      events_.Subscribe<ActorRestarted>([&](const ActorRestarted& e) { tell("restarted", e); });
  auto d =
      events_.Subscribe<ActorPassivated>([&](const ActorPassivated& e) { tell("passivated", e); });
  auto e = events_.Subscribe<ActorStopped>([&](const ActorStopped& s) { tell("stopped", s); });

  auto work = system_.Spawn<Work>(SpawnOptions{.passivate_after = 60s}, "work").value();
  EXPECT_TRUE(absl::IsUnknown(work.Ask(Crash{})));
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(kRestartBackoffMin);
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(60s);
  system_.WaitUntilQuiet();

  EXPECT_THAT(told, ElementsAre("started /work", "failed /work", "restarted /work",
                                "passivated /work", "stopped /work"));
}

TEST_F(EventStreamTest, ManyPublishersAndAReaderLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  auto queue =
      events_.Subscribe<Shipped>({.filter = nullptr, .capacity = kThreads * kEach}).value();

  std::vector<std::thread> publishers;
  for (int t = 0; t < kThreads; ++t) {
    publishers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) events_.Publish(Shipped{i});
    });
  }
  int64_t sum = 0;
  for (int i = 0; i < kThreads * kEach; ++i) sum += queue.Next().value().order;
  for (std::thread& publisher : publishers) publisher.join();

  EXPECT_EQ(sum, int64_t{kThreads} * kEach * (kEach - 1) / 2);
  EXPECT_EQ(queue.dropped(), 0u);
}

}  // namespace
}  // namespace quern
