#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <type_traits>
#include <utility>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Get {};
struct Bump {};
struct Tick {
  int amount = 1;
};
struct Late {};
struct CounterApi : Protocol<int(Get), void(Bump)> {};
struct GetApi : Protocol<int(Get)> {};

struct Counter : Actor<CounterApi, void(Tick), void(Late)> {
  int On(const Get&) { return total_; }
  void On(const Bump&) {
    Self().Tell(Tick{100});
    After(1ms, Late{});
  }
  void On(const Tick& m) { total_ += m.amount; }
  void On(const Late&) { total_ += 1000; }

  Ref<CounterApi> AsOthersSeeIt() const { return Self(); }

  TimerId tick_ = Every(1s, Tick{});
  int total_ = 0;
};

using Seen = std::remove_cvref_t<decltype(*std::declval<System&>().Spawn<Counter>(""))>;
static_assert(std::same_as<Seen, Ref<CounterApi>>);
static_assert(!Accepts<CounterApi, Tick>);
static_assert(Accepts<Counter::Handled, Tick> && Accepts<Counter::Handled, Get>);
static_assert(std::convertible_to<Ref<Counter::Handled>, Ref<CounterApi>>);
static_assert(std::convertible_to<Ref<Counter::Handled>, Ref<GetApi>>);
static_assert(!std::convertible_to<Ref<CounterApi>, Ref<Counter::Handled>>);

TEST(PrivateApiTest, TheActorTellsItselfWhatNobodyElseCan) {
  FakeClock clock;
  System system({.name = "test", .workers = 1, .clock = &clock});
  auto counter = system.Spawn<Counter>("counter").value();

  counter.Tell(Bump{});
  system.WaitUntilQuiet();

  EXPECT_EQ(counter.Ask(Get{}).value(), 100);
}

TEST(PrivateApiTest, TimersMaySendPrivateMessages) {
  FakeClock clock;
  System system({.name = "test", .workers = 1, .clock = &clock});
  auto counter = system.Spawn<Counter>("counter").value();
  counter.Tell(Bump{});
  system.WaitUntilQuiet();

  clock.AdvanceBy(1ms);
  system.WaitUntilQuiet();
  EXPECT_EQ(counter.Ask(Get{}).value(), 1100);

  clock.AdvanceBy(1s);
  system.WaitUntilQuiet();
  EXPECT_EQ(counter.Ask(Get{}).value(), 1101);
}

TEST(PrivateApiTest, ARefToThePrivatePartNarrowsToThePublicOne) {
  Counter plain;

  EXPECT_FALSE(plain.AsOthersSeeIt());
}

}  // namespace
}  // namespace quern
