// Random programs of grains that tell, ask, save, leave, fail, sleep and set timers, and are sent
// away from outside, a seed each, on the step system. What must hold whatever they do:
//
//   one             at most one activation of a grain at a time
//   alone           one thing at a time inside a grain, over all its activations; hooks beside no
//                   handler that waits
//   order           of one sender and one grain, messages are handled as they were sent, whichever
//                   activation handles them
//   conservation    sent = handled + dropped + queued; a dropped tell is a dead letter
//   no lost wake-up when nothing can move any more, nothing waits, and every grain has idled out
//   state           an activation begins with all that was saved, though saves take their time,
//   come
//                   from several handlers, and fail
//   timers          ring exactly once, in the activation that set them, unless it went first
//
// (Stateless workers are several, have no order among them, and keep nothing.)
//
// That each is really looked for is shown by planted bugs.

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include "grain_test_kit.h"
#include "property_world.h"
#include "quern/quern.h"
#include "quern/runtime/fiber_group.h"
#include "quern/testing/step_system.h"

namespace quern::testing {

struct Errand {
  Token token;
  uint64_t sender = 0;  // one activation of one grain; 0 the test
  int number = 0;       // of that sender to this grain
};
struct Ring {
  int timer = 0;
  uint64_t activation = 0;
};
struct Later {
  std::function<void()> what;
};
struct LaterApi : Protocol<void(Later)> {};
struct ErrandApi : Protocol<int64_t(Errand), void(Ring)> {
  static constexpr std::string_view kKind = "errand";
};

}  // namespace quern::testing

namespace quern {
template <>
struct Codec<testing::Errand> : EmptyCodec<testing::Errand> {
  static constexpr std::string_view kName = "test.Errand";
};
template <>
struct Codec<testing::Ring> : EmptyCodec<testing::Ring> {
  static constexpr std::string_view kName = "test.Ring";
};
}  // namespace quern

namespace quern::testing {
namespace {

using quern::internal::Sabotage;
using namespace std::chrono_literals;

// A grain, over all its activations.
struct Place {
  GrainOptions options;
  Ref<ErrandApi> ref;
  int alive = 0;
  int64_t saved = 0;   // that many additions are
  int64_t unsure = 0;  // more may be

  bool is_pool() const { return options.stateless_workers > 0; }
  bool is_reentrant() const { return options.reentrancy != Reentrancy::kOff; }
};

struct Grains : World {
  using World::World;
  System* system = nullptr;
  std::vector<Place> places;
};

// Does what it is told a little later.
struct Clerk : Actor<LaterApi> {
  explicit Clerk(World* world) : world_(world) {}
  void On(const Later& m) {
    (void)SleepFor(std::chrono::milliseconds(world_->Below(8)));
    m.what();
  }
  World* const world_;
};

// Answers later, and does not always write.
class SlowStore : public StateStore {
 public:
  explicit SlowStore(World* world) : world_(world) {}
  void Open(Ref<LaterApi> clerk) { clerk_ = std::move(clerk); }

  void Claim(const GrainId& id, const Epoch& epoch, Duration timeout,
             std::function<void(StatusOr<ClaimedState>)> done) override {
    InAWhile([=, this] { memory_.Claim(id, epoch, timeout, done); });
  }
  void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
            std::function<void(StatusOr<StateClaim>)> done) override {
    InAWhile([=, this, snapshot = std::move(snapshot)] {
      if (world_->Below(12) != 0) return memory_.Save(claim, snapshot, timeout, done);
      done(absl::UnavailableError("no disk"));
    });
  }
  void Clear(const StateClaim& claim, Duration timeout,
             std::function<void(StatusOr<StateClaim>)> done) override {
    memory_.Clear(claim, timeout, std::move(done));
  }
  uint64_t refused_writes() const override { return memory_.refused_writes(); }

 private:
  void InAWhile(std::function<void()> what) {
    if (world_->Below(2) == 0) return what();
    clerk_.Tell(Later{std::move(what)});
  }

  World* const world_;
  MemoryStateStore memory_;
  Ref<LaterApi> clerk_;
};

class Errander : public Grain<ErrandApi> {
 public:
  explicit Errander(Grains* world)
      : world_(world), index_(static_cast<size_t>(std::stoi(key()))), me_(++world->incarnations) {
    Inside inside(world_, thing(), "the constructor");
    if (++place().alive > 1 && !place().is_pool()) world_->Violate("two activations");
  }
  ~Errander() override {
    Inside inside(world_, thing(), "the destructor");
    for (int timer : timers_) world_->TimerAt(timer).owner_gone = true;
    --place().alive;
  }

  Status OnActivate() override {
    Inside inside(world_, thing(), "OnActivate");
    CheckState(place().saved, place().unsure);
    if (world_->Below(3) == 0) Act(nullptr);
    if (world_->budget > 0 && world_->Below(12) == 0) return absl::UnavailableError("a bad start");
    return absl::OkStatus();
  }
  void OnDeactivate(const Status&) override {
    Inside inside(world_, thing(), "OnDeactivate");
    if (world_->Below(3) == 0) Act(nullptr);
  }

  StatusOr<int64_t> On(Errand&& m) {
    Inside inside(world_, thing(), "a handler", Inside::kHandler);
    m.token.Handle();
    if (lost_) world_->Violate("a handler begins on a state that is lost");
    if (!place().is_pool()) world_->NoteNumber(m.sender, index_, 0, m.number);
    if (world_->Below(3) == 0) AddOne(&inside);
    for (uint64_t i = world_->Below(4); i > 0; --i) Act(&inside);
    if (world_->Below(10) == 0) throw std::runtime_error("a bad day");
    return m.number;
  }
  void On(const Ring& m) {
    Inside inside(world_, thing(), "a tick", Inside::kHandler);
    if (m.activation != me_) world_->Violate("rang in another activation");
    if (++world_->TimerAt(m.timer).rung > 1) world_->Violate("rang twice");
  }

 protected:
  // Adds one to the state and saves it.
  virtual Status SaveOneMore() { return absl::OkStatus(); }
  virtual void CheckState(int64_t /*saved*/, int64_t /*unsure*/) {}
  Grains& world() { return *world_; }

 private:
  Place& place() { return world_->places[index_]; }
  // Workers of a pool are beside each other.
  uint64_t thing() { return place().is_pool() ? 1000 + me_ : index_; }
  Errand Message(size_t receiver, bool ask) {
    return {Token(world_, ask), me_, world_->NextNumber(me_, receiver)};
  }

  void AddOne(Inside* inside) {
    Apart others(place().is_reentrant() ? inside : nullptr);
    ++place().unsure;
    if (!SaveOneMore().ok()) {
      lost_ = true;
      return;
    }
    ++place().saved;
    --place().unsure;
  }

  // One random action. `inside`: of a handler.
  void Act(Inside* inside) {
    if (world_->budget <= 0) return;
    --world_->budget;
    const size_t other = world_->Below(world_->places.size());
    const Ref<ErrandApi> to = world_->places[other].ref;
    Inside* apart = place().is_reentrant() ? inside : nullptr;
    switch (world_->Below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        for (uint64_t i = 1 + world_->Below(3); i > 0; --i) to.Tell(Message(other, false));
        break;
      case 4:
      case 5:
        SetTimer();
        break;
      case 6:
        DeactivateSoon();
        break;
      case 7:
        (void)world_->system->Deactivate(to);
        break;
      case 8:
      case 9:
      case 10:
        Ask(to, other, apart);
        break;
      case 11:
        SetIdleTimeout(std::chrono::milliseconds(world_->Below(30)));
        break;
      case 12: {
        Apart others(apart);
        (void)SleepFor(std::chrono::milliseconds(world_->Below(30)));
        break;
      }
      default:
        AskTwo(to, other, apart);
    }
  }

  void SetTimer() {
    const int timer = world_->AddTimer(place().options.mailbox_capacity != 0);
    const auto delay = std::chrono::milliseconds(world_->Below(50));
    if (After(delay, Ring{timer, me_}) == 0) world_->TimerAt(timer).owner_gone = true;  // leaving
    timers_.push_back(timer);
  }

  void Ask(const Ref<ErrandApi>& to, size_t other, Inside* apart) {
    AskOptions options{.timeout = std::chrono::milliseconds(1 + world_->Below(80))};
    if (world_->Below(4) == 0) options.reentrancy = static_cast<Reentrancy>(world_->Below(3));
    Apart others(apart);
    ++world_->asks_open;
    (void)to.Ask(Message(other, true), options);
    --world_->asks_open;
  }

  void AskTwo(const Ref<ErrandApi>& to, size_t other, Inside* apart) {
    std::vector<Pending<int64_t>> pending;
    for (int i = 0; i < 2; ++i) pending.push_back(to.AskAsync(Message(other, true), 50ms));
    if (world_->Below(3) == 0) return;  // abandoned
    Apart others(apart);
    ++world_->asks_open;
    (void)AwaitAny(pending);
    --world_->asks_open;
  }

  Grains* const world_;
  const size_t index_;
  const uint64_t me_;
  std::vector<int> timers_;
  bool lost_ = false;  // the state: memory is ahead of it
};

// One that remembers how often it has saved.
class Keeper : public Errander {
 public:
  using Errander::Errander;

 private:
  Status SaveOneMore() override {
    ++*count_;
    return count_.Save();
  }
  void CheckState(int64_t saved, int64_t unsure) override {
    if (*count_ < saved || *count_ > saved + unsure) world().Violate("not what was saved");
  }

  State<int64_t> count_{this};
};

// Ticks keep no grain, so that all have idled out at the end.
std::vector<GrainOptions> Kinds() {
  std::vector<GrainOptions> kinds;
  kinds.push_back({.kind = "off"});
  kinds.push_back({.kind = "twice", .activate_tries = 2});
  kinds.push_back({.kind = "narrow", .mailbox_capacity = 2});
  kinds.push_back({.kind = "open", .reentrancy = Reentrancy::kAllowAll});
  kinds.push_back({.kind = "stash", .reentrancy = Reentrancy::kStash});
  kinds.push_back({.kind = "narrow-open",
                   .mailbox_capacity = 2,
                   .reentrancy = Reentrancy::kAllowAll,
                   .asks_in_flight_max = 2});
  kinds.push_back({.kind = "pool", .stateless_workers = 2});
  kinds.push_back(
      {.kind = "pool-open", .stateless_workers = 2, .reentrancy = Reentrancy::kAllowAll});
  for (GrainOptions& kind : kinds) {
    kind.idle_timeout = 20ms;
    kind.ticks_keep_active = false;
  }
  return kinds;
}

struct GrainProgram {
  uint64_t seed = 0;
  Sabotage sabotage = Sabotage::kNone;
};

void HostAll(StepSystem& system, Grains& world) {
  world.system = &system;
  for (const GrainOptions& options : Kinds()) {
    const bool hosted = options.stateless_workers > 0 ? system.Host<Errander>(options, &world).ok()
                                                      : system.Host<Keeper>(options, &world).ok();
    EXPECT_TRUE(hosted) << options.kind;
    Place place{.options = options, .ref = {}};
    place.ref = system.Grain<ErrandApi>(std::to_string(world.places.size()), options.kind);
    world.places.push_back(std::move(place));
  }
}

void Play(StepSystem& system, Grains& world) {
  constexpr uint64_t kTest = 0;
  for (int round = 0; round < 10; ++round) {
    const size_t index = world.Below(world.places.size());
    const Ref<ErrandApi>& grain = world.places[index].ref;
    if (world.Below(5) == 0) (void)system.Deactivate(grain);
    grain.Tell(Errand{Token(&world, false), kTest, world.NextNumber(kTest, index)});
    for (uint64_t i = world.Below(12); i > 0; --i) system.Step();
    if (world.Below(4) == 0) system.RunFor(std::chrono::milliseconds(world.Below(40)));
  }
  system.RunFor(10min);  // every sleep, pause, deadline and idle timeout is over
  if (system.CountGrains() != 0) world.Violate("a grain never leaves, and nothing moves");

  world.budget = 0;
  for (size_t index = 0; index < world.places.size(); ++index) {
    Errand last{Token(&world, true), kTest, world.NextNumber(kTest, index)};
    if (absl::IsDeadlineExceeded(world.places[index].ref.Ask(std::move(last)).status())) {
      world.Violate("a grain does not answer, and nothing moves");
    }
  }
  world.CheckAtRest(system.dead_letters());
}

// Runs the program of a seed to its end. "" when every property held.
std::string RunProgram(const GrainProgram& program) {
  Grains world(program.seed);
  world.die = program.sabotage != Sabotage::kNone;
  Silence silence;
  SlowStore store(&world);
  {
    StepSystem system(
        {.seed = program.seed, .system = {.logger = &silence, .state_store = &store}});
    quern::internal::StepDriver::OfThread()->Plant(program.sabotage);
    store.Open(system.Spawn<Clerk>("clerk", &world).value());
    HostAll(system, world);
    Play(system, world);
  }
  world.CheckAfterStop();
  return world.violation;
}

TEST(GrainPropertyTest, HoldsForAThousandPrograms) {
  for (uint64_t seed = 1; seed <= kPrograms; ++seed) {
    ASSERT_EQ(RunProgram({.seed = seed}), "") << "seed " << seed;
  }
}

void ExpectFound(Sabotage sabotage, const std::string& violation) {
  testing::ExpectFound([=](uint64_t seed) { RunProgram({.seed = seed, .sabotage = sabotage}); },
                       violation);
}

TEST(GrainPropertyDeathTest, FindsASecondActivation) {
  // A sanitizer may be first: the second one's end lets go of the first, which still has turns.
  ExpectFound(Sabotage::kForgetActivation, "two activations|not alone|beside|use-after-free");
}
TEST(GrainPropertyDeathTest, FindsALostMessageForAGrainOnItsWayOut) {
  ExpectFound(Sabotage::kLoseWaiting, "nothing moves");
}
TEST(GrainPropertyDeathTest, FindsALostWakeUp) {
  ExpectFound(Sabotage::kLoseWakeUp, "nothing moves|kSomethingCanEndThisWait");
  ExpectFound(Sabotage::kLoseReadyActor, "nothing moves|kSomethingCanEndThisWait");
}
TEST(GrainPropertyDeathTest, FindsAGrainThatRunsTwiceAtATime) {
  ExpectFound(Sabotage::kRunBeside, "not alone");
}
TEST(GrainPropertyDeathTest, FindsMessagesOutOfOrder) {
  ExpectFound(Sabotage::kSwapMessages, "out of order");
}
TEST(GrainPropertyDeathTest, FindsALostMessage) {
  ExpectFound(Sabotage::kLoseMessage, "nothing moves");
}
TEST(GrainPropertyDeathTest, FindsALostTimer) {
  ExpectFound(Sabotage::kLoseTimer, "never rang|nothing moves");
}

}  // namespace
}  // namespace quern::testing
