// Random programs of actors that tell, ask, spawn, stop, fail, sleep and set timers, a seed each,
// on the step system. What must hold whatever they do:
//
//   order           of one sender and one receiver, messages arrive as they were sent (of equal
//                   priority, where the mailbox knows one)
//   alone           one thing at a time inside an actor, from its constructor to its destructor;
//                   hooks of a reentrant one beside no handler that waits
//   conservation    sent = handled + dropped + queued; a dropped tell is a dead letter
//   no lost wake-up when nothing can move any more, nothing waits: no message, no ask
//   timers          fire exactly once, unless their actor went first
//
// That each is really looked for is shown by bugs planted in the scheduler.

#include <chrono>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "property_world.h"
#include "quern/quern.h"
#include "quern/testing/step_system.h"

namespace quern {
namespace {

using internal::Sabotage;
using testing::Apart;
using testing::Inside;
using testing::Silence;
using testing::StepSystem;
using testing::Token;
using testing::World;
using namespace std::chrono_literals;

struct Do {
  Token token;
  uint64_t sender;  // one incarnation of one actor; 0 the test
  int number;       // of that sender to this receiver
};
struct Ring {
  int timer;
};
struct AgentApi : Protocol<int(Do), void(Ring)> {};

struct Agents : World {
  using World::World;
  std::vector<Ref<AgentApi>> refs;
  bool all_choose = false;  // a mailbox
};

// The oldest makes room, in a queue of the program's own.
class Recent : public MailboxQueue {
 public:
  explicit Recent(size_t capacity) : capacity_(capacity) {}
  QueuedMessage Enqueue(QueuedMessage message) override {
    messages_.push_back(std::move(message));
    return messages_.size() > capacity_ ? Dequeue() : QueuedMessage();
  }
  QueuedMessage Dequeue() override {
    if (messages_.empty()) return {};
    QueuedMessage first = std::move(messages_.front());
    messages_.pop_front();
    return first;
  }
  size_t size() const override { return messages_.size(); }

 private:
  const size_t capacity_;
  std::deque<QueuedMessage> messages_;
};

// Odd numbers are urgent.
int Urgency(const QueuedMessage& message) {
  const Do* errand = message.As<Do>();
  return errand == nullptr ? 0 : errand->number % 2;
}

MailboxOptions RandomMailbox(Agents& world) {
  const size_t capacity = 1 + world.Below(4);
  switch (world.Below(world.all_choose ? 7 : 14)) {
    case 0:
      return BoundedMailbox(capacity);
    case 1:
      return BoundedMailbox(capacity, WhenFull::kDropNewest);
    case 2:
      return BoundedMailbox(capacity, WhenFull::kDropOldest);
    case 3:
      return PriorityMailbox(Urgency);
    case 4:
      return PriorityMailbox(Urgency, capacity,
                             world.Below(2) == 0 ? WhenFull::kReject : WhenFull::kDropNewest);
    case 5:
      return FairMailbox(world.Below(2) == 0 ? 0 : capacity);
    case 6:
      return CustomMailbox<Recent>(capacity);
    default:
      return {};
  }
}

// What an agent has to know about how it was spawned.
struct Traits {
  bool has_lanes = false;  // odd numbers may overtake even ones
  bool has_bound = false;  // ticks may find no room
  bool reentrant = false;  // others of its handlers run while one waits
};

Reentrancy AnyReentrancy(World& world) { return static_cast<Reentrancy>(world.Below(3)); }

// Fills in mailbox and reentrancy.
Traits ChooseTraits(Agents& world, SpawnOptions& options) {
  options.mailbox = RandomMailbox(world);
  if (world.Below(3) == 0) options.reentrancy = AnyReentrancy(world);
  if (world.Below(8) == 0) options.asks_in_flight_max = 1;
  return {.has_lanes = options.mailbox.kind == MailboxOptions::Kind::kPriority,
          .has_bound = options.mailbox.kind != MailboxOptions::Kind::kUnbounded,
          .reentrant = options.reentrancy != Reentrancy::kOff};
}

class Agent : public Actor<AgentApi> {
 public:
  Agent(Agents* world, Traits traits) : world_(world), traits_(traits), me_(++world->incarnations) {
    Inside inside(world_, Self().id(), "the constructor");
    if (world_->Below(8) == 0) Act(nullptr);
  }
  ~Agent() {
    Inside inside(world_, cell_, "the destructor");
    for (int timer : timers_) world_->TimerAt(timer).owner_gone = true;
  }

  Status OnStart(Context& context) {
    Inside inside(world_, cell_, "OnStart");
    Act(&context);
    if (world_->Below(12) == 0) return absl::UnavailableError("a bad start");
    return absl::OkStatus();
  }
  void OnStop(Context& context) {
    Inside inside(world_, cell_, "OnStop");
    if (world_->Below(3) == 0) Act(&context);
  }

  int On(Do&& m, Context& context) {
    Inside inside(world_, cell_, "a handler", Inside::kHandler);
    m.token.Handle();
    world_->NoteNumber(m.sender, cell_, traits_.has_lanes ? m.number % 2 : 0, m.number);
    for (uint64_t i = world_->Below(4); i > 0; --i) Act(&context, &inside);
    if (world_->Below(10) == 0) throw std::runtime_error("a bad day");
    return m.number;
  }
  void On(const Ring& m) {
    Inside inside(world_, cell_, "a tick", Inside::kHandler);
    if (++world_->TimerAt(m.timer).rung > 1) world_->Violate("rang twice");
  }

 private:
  Do Message(uint64_t receiver, bool ask) {
    return {Token(world_, ask), me_, world_->NextNumber(me_, receiver)};
  }

  // One random action; without a context nothing that suspends. `inside`: of a handler.
  void Act(Context* context, Inside* inside = nullptr) {
    if (world_->budget <= 0) return;
    --world_->budget;
    const Ref<AgentApi> other = world_->refs[world_->Below(world_->refs.size())];
    switch (world_->Below(context == nullptr ? 8 : 12)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        for (uint64_t i = 1 + world_->Below(3); i > 0; --i) other.Tell(Message(other.id(), false));
        break;
      case 5:
      case 6:
        timers_.push_back(world_->AddTimer(traits_.has_bound));
        After(std::chrono::milliseconds(world_->Below(50)), Ring{timers_.back()});
        break;
      case 7:
        other.Stop();
        break;
      case 8:
      case 9: {
        Apart apart(traits_.reentrant ? inside : nullptr);
        AskOptions options{.timeout = std::chrono::milliseconds(1 + world_->Below(80))};
        if (world_->Below(4) == 0) options.reentrancy = AnyReentrancy(*world_);
        ++world_->asks_open;
        (void)other.Ask(Message(other.id(), true), options);
        --world_->asks_open;
        break;
      }
      case 10: {
        Apart apart(traits_.reentrant ? inside : nullptr);
        (void)context->Sleep(std::chrono::milliseconds(world_->Below(30)));
        break;
      }
      default:
        SpawnChild(*context);
    }
  }

  void SpawnChild(Context& context) {
    SpawnOptions options;
    if (world_->Below(2) == 0) options.passivate_after = 20ms;
    if (world_->Below(4) == 0) options.supervisor = Directive::kStop;
    const Traits traits = ChooseTraits(*world_, options);
    const std::string name = "c" + std::to_string(world_->refs.size());
    auto child = context.Spawn<Agent>(options, name, world_, traits);
    if (child.ok()) world_->refs.push_back(*std::move(child));
  }

  Agents* const world_;
  const Traits traits_;
  const uint64_t me_;
  const uint64_t cell_ = Self().id();
  std::vector<int> timers_;
};

// Runs the program of a seed to its end. "" when every property held.
struct Program {
  uint64_t seed = 0;
  bool all_choose = false;
  Sabotage sabotage = Sabotage::kNone;
};

std::string RunProgram(const Program& program) {
  Agents world(program.seed);
  world.all_choose = program.all_choose;
  world.die = program.sabotage != Sabotage::kNone;
  Silence silence;
  {
    StepSystem system({.seed = program.seed, .system = {.logger = &silence}});
    internal::StepDriver::OfThread()->Plant(program.sabotage);
    // They exist before the first of them runs.
    for (int i = 0; i < 3; ++i) {
      SpawnOptions options;
      const Traits traits = ChooseTraits(world, options);
      const std::string name = "a" + std::to_string(i);
      world.refs.push_back(system.Spawn<Agent>(options, name, &world, traits).value());
    }
    for (int round = 0; round < 8; ++round) {
      const Ref<AgentApi> agent = world.refs[world.Below(world.refs.size())];
      const uint64_t test = 0;
      agent.Tell(Do{Token(&world, false), test, world.NextNumber(test, agent.id())});
      for (uint64_t i = world.Below(10); i > 0; --i) system.Step();
    }
    system.RunFor(10min);  // every sleep, pause, deadline and passivation is over

    world.budget = 0;
    for (size_t i = 0; i < world.refs.size(); ++i) {
      const Ref<AgentApi> agent = world.refs[i];
      Do last{Token(&world, true), 0, world.NextNumber(0, agent.id())};
      if (absl::IsDeadlineExceeded(agent.Ask(std::move(last)).status())) {
        world.Violate("an actor does not answer, and nothing moves");
      }
    }
    world.CheckAtRest(system.dead_letters());
  }
  world.CheckAfterStop();
  return world.violation;
}

TEST(ActorPropertyTest, HoldsForAThousandPrograms) {
  for (uint64_t seed = 1; seed <= testing::kPrograms; ++seed) {
    ASSERT_EQ(RunProgram({.seed = seed}), "") << "seed " << seed;
  }
}

TEST(ActorPropertyTest, HoldsForAThousandProgramsWithChosenMailboxes) {
  for (uint64_t seed = 1; seed <= testing::kPrograms; ++seed) {
    ASSERT_EQ(RunProgram({.seed = seed, .all_choose = true}), "") << "seed " << seed;
  }
}

void ExpectFound(Sabotage sabotage, const std::string& violation, bool all_choose = false) {
  testing::ExpectFound(
      [=](uint64_t seed) {
        RunProgram({.seed = seed, .all_choose = all_choose, .sabotage = sabotage});
      },
      violation);
}

TEST(ActorPropertyDeathTest, FindsALostWakeUp) {
  ExpectFound(Sabotage::kLoseWakeUp, "nothing moves|kSomethingCanEndThisWait");
  ExpectFound(Sabotage::kLoseReadyActor, "nothing moves|kSomethingCanEndThisWait");
}
TEST(ActorPropertyDeathTest, FindsAnActorThatRunsTwiceAtATime) {
  ExpectFound(Sabotage::kRunBeside, "not alone");
}
TEST(ActorPropertyDeathTest, FindsMessagesOutOfOrder) {
  ExpectFound(Sabotage::kSwapMessages, "out of order");
}
TEST(ActorPropertyDeathTest, FindsALostMessage) {
  ExpectFound(Sabotage::kLoseMessage, "nothing moves");
}
TEST(ActorPropertyDeathTest, FindsALostTimer) {
  ExpectFound(Sabotage::kLoseTimer, "never rang|nothing moves");
}
TEST(ActorPropertyDeathTest, FindsTheSameInChosenMailboxes) {
  ExpectFound(Sabotage::kLoseReadyActor, "nothing moves|kSomethingCanEndThisWait", true);
  ExpectFound(Sabotage::kRunBeside, "not alone", true);
  ExpectFound(Sabotage::kSwapMessages, "out of order", true);
  ExpectFound(Sabotage::kLoseMessage, "nothing moves", true);
}

}  // namespace
}  // namespace quern
