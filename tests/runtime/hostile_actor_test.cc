// Actors and messages that misbehave: what they throw, when they tell, what they are named.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "life_test_kit.h"
#include "test_size.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class HostileActorTest : public LifeTest {};

struct Poke {};
struct PokeApi : Protocol<void(Poke)> {};

// What it throws, and where.
struct Bomb : Actor<PokeApi> {
  enum Where { kNowhere, kConstructor, kOnStart, kHandler, kOnStop };
  Bomb(Where where, bool exception) : where_(where), exception_(exception) { Maybe(kConstructor); }
  void OnStart() { Maybe(kOnStart); }
  void On(const Poke&) { Maybe(kHandler); }
  void OnStop() { Maybe(kOnStop); }
  void Maybe(Where here) const {
    if (where_ != here) return;
    if (exception_) throw std::runtime_error("boom");
    throw "boom";  // NOLINT: people do
  }
  const Where where_;
  const bool exception_;
};

TEST_F(HostileActorTest, WhateverIsThrownWhereverEndsInAnOrderlyStop) {
  for (auto where : {Bomb::kConstructor, Bomb::kOnStart, Bomb::kHandler, Bomb::kOnStop}) {
    for (bool exception : {true, false}) {
      auto stopped = system_.events().Subscribe<ActorStopped>().value();
      auto bomb =
          system_.Spawn<Bomb>({.supervisor = Directive::kStop}, "bomb", where, exception).value();
      bomb.Tell(Poke{});
      Settle();
      bomb.Stop();
      Settle();

      EXPECT_EQ(bomb.Tell(Poke{}), Delivery::kStopped);
      EXPECT_EQ(stopped.TryNext().value().path, "/bomb");
      EXPECT_FALSE(stopped.TryNext().has_value());
    }
  }
  EXPECT_EQ(logger_.Count("OnStop failed"), 2u);
}

TEST_F(HostileActorTest, AThrowingOnStopDoesNotKeepARestartFromHappening) {
  auto restarted = system_.events().Subscribe<ActorRestarted>().value();
  auto bomb = system_.Spawn<Bomb>("bomb", Bomb::kOnStop, true).value();

  EXPECT_TRUE(bomb.Restart().ok());
  Settle();

  EXPECT_EQ(restarted.TryNext().value().path, "/bomb");
  EXPECT_TRUE(bomb.Ask(Poke{}).ok());
}

TEST_F(HostileActorTest, AHandlerThatThrowsNoExceptionIsDescribed) {
  auto bomb = system_.Spawn<Bomb>("bomb", Bomb::kHandler, false).value();

  EXPECT_THAT(bomb.Ask(Poke{}).ToString(), HasSubstr("something that is not a std::exception"));
}

TEST_F(HostileActorTest, WhatIsToldDuringAStopIsDeadLettered) {
  struct Talker : Actor<PokeApi> {
    void On(const Poke&) {}
    void OnStop() { EXPECT_EQ(Self().Tell(Poke{}), Delivery::kAccepted); }
  };
  auto talker = system_.Spawn<Talker>("talker").value();
  Settle();

  talker.Stop();
  Settle();

  EXPECT_EQ(system_.dead_letters(), 1u);
  EXPECT_EQ(talker.Tell(Poke{}), Delivery::kStopped);
}

TEST_F(HostileActorTest, SelfWorksInAMemberInitialiser) {
  struct Eager : Actor<PokeApi> {
    explicit Eager(Diary* diary) : diary_(diary) {}
    void OnStart() { diary_->Write("started"); }
    void On(const Poke&) { diary_->Write("poked"); }
    Diary* diary_;
    Ref<PokeApi> self_ = Self();
    Delivery told_ = self_.Tell(Poke{});
  };
  auto eager = system_.Spawn<Eager>("eager", &diary_).value();
  Settle();

  EXPECT_THAT(diary_.Take(), ElementsAre("started", "poked"));
  EXPECT_TRUE(eager.Ask(Poke{}).ok());
}

TEST_F(HostileActorTest, AStopDuringABackoffEndsIt) {
  auto actor = Spawn("a");
  actor.Tell(Crash{});
  Settle();

  actor.Stop();
  Settle();
  EXPECT_EQ(actor.Tell(Count{}), Delivery::kStopped);
  EXPECT_TRUE(system_.Spawn<LifeActor>("a", &diary_, "a").ok());
}

TEST_F(HostileActorTest, ARestartWaitsForTheHandlerThatSleeps) {
  struct Sleeper : Actor<PokeApi> {
    explicit Sleeper(Diary* diary) : diary_(diary) {}
    ~Sleeper() { diary_->Write("gone"); }
    void On(const Poke&, Context& context) {
      EXPECT_TRUE(context.Sleep(1s).ok());
      diary_->Write("slept");
    }
    Diary* diary_;
  };
  auto sleeper = system_.Spawn<Sleeper>("sleeper", &diary_).value();
  sleeper.Tell(Poke{});
  Settle();

  EXPECT_TRUE(sleeper.Restart().ok());
  Settle();
  Advance(1s);

  EXPECT_THAT(diary_.Take(), ElementsAre("slept", "gone"));
}

// A sanitizer keeps what was freed in quarantine, and its shadow beside everything.
constexpr int kActorsOfASanitizer = 50'000;

TEST_F(HostileActorTest, AMillionActorsStopWithTheSystem) {
  constexpr int kActors = Rounds(1'000'000, kActorsOfASanitizer);
  struct Leaf : Actor<PokeApi> {
    explicit Leaf(std::atomic<int>* living) : living_(living) { ++*living_; }
    ~Leaf() { --*living_; }
    void On(const Poke&) {}
    std::atomic<int>* living_;
  };
  std::atomic<int> living{0};
  for (int i = 0; i < kActors; ++i) {
    ASSERT_TRUE(system_.Spawn<Leaf>(std::to_string(i), &living).ok());
  }
  Settle();
  EXPECT_EQ(living, kActors);

  system_.Stop();

  EXPECT_EQ(living, 0);
}

class ActorNameTest : public LifeTest {
 protected:
  absl::StatusCode CodeFor(const std::string& name) {
    return system_.Spawn<Bomb>(name, Bomb::kNowhere, false).status().code();
  }
};

TEST_F(ActorNameTest, ANameIsUniqueAmongLivingSiblings) {
  EXPECT_EQ(CodeFor("a"), absl::StatusCode::kOk);
  EXPECT_EQ(CodeFor("a"), absl::StatusCode::kAlreadyExists);
}

TEST_F(ActorNameTest, ANameIsOneTo255Bytes) {
  EXPECT_EQ(CodeFor(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeFor(std::string(kActorNameBytesMax, 'x')), absl::StatusCode::kOk);
  EXPECT_EQ(CodeFor(std::string(kActorNameBytesMax + 1, 'x')), absl::StatusCode::kInvalidArgument);
}

TEST_F(ActorNameTest, WordsOfPathsAreReserved) {
  for (const char* name : {".", "..", "/", "a/b", "/a"}) {
    EXPECT_EQ(CodeFor(name), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(CodeFor("..."), absl::StatusCode::kOk);
}

TEST_F(ActorNameTest, ControlCharactersAreRefused) {
  for (const std::string& name :
       {std::string("\n"), std::string("a\tb"), std::string(1, '\0'), std::string("\x7f")}) {
    EXPECT_EQ(CodeFor(name), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ActorNameTest, Utf8IsWelcomeAndAnythingElseIsNot) {
  for (const char* name : {"Zürich", "Αθήνα", "北京", "🦀", "\U0010ffff"}) {
    EXPECT_EQ(CodeFor(name), absl::StatusCode::kOk) << name;
  }
  for (const char* name : {
           "\x80",              // no lead
           "\xc3",              // cut short
           "\xc0\xaf",          // overlong
           "\xe0\x80\xaf",      // overlong
           "\xed\xa0\x80",      // a surrogate
           "\xf4\x90\x80\x80",  // above U+10FFFF
           "\xff",
       }) {
    EXPECT_EQ(CodeFor(name), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace quern
