#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "quern/quern.h"
#include "quern/runtime/any_actor.h"

namespace quern {
namespace {

struct Who {};
struct Add {
  int amount = 0;
};
struct Total {};
struct Seen {};
struct WorkerApi : Protocol<std::string(Who), void(Add), int(Total)> {};
struct AdderApi : Protocol<void(Add)> {};

struct Worker : Actor<WorkerApi> {
  std::string On(const Who&, Context& context) { return context.path(); }
  void On(const Add& m) { total_ += m.amount; }
  int On(const Total&) { return total_; }
  int total_ = 0;
};

struct Spread : AnyActor {
  explicit Spread(std::vector<Ref<WorkerApi>> to) : to_(std::move(to)) {}
  void OnAny(const AnyMessage&, Context& context) {
    (void)context.Forward(to_[next_++ % to_.size()]);
  }
  std::vector<Ref<WorkerApi>> to_;
  size_t next_ = 0;
};

// Reads what it knows, and passes on to another of its kind.
struct Spy : AnyActor {
  explicit Spy(Ref<AnyApi> to, std::vector<std::string>* seen) : to_(std::move(to)), seen_(seen) {}
  void OnAny(const AnyMessage& m, Context& context) {
    std::string line(m.name().substr(m.name().rfind(':') + 1));
    if (const Add* add = m.As<Add>()) line += " " + std::to_string(add->amount);
    if (m.is_ask()) line += "?";
    seen_->push_back(line);
    if (to_) (void)context.Forward(to_);
  }
  Ref<AnyApi> to_;
  std::vector<std::string>* seen_;
};

class AnyActorTest : public ::testing::Test {
 protected:
  System system_{SystemOptions{.name = "test", .workers = 1}};
  Ref<WorkerApi> left_ = system_.Spawn<Worker>("left").value();
  Ref<WorkerApi> right_ = system_.Spawn<Worker>("right").value();
  std::vector<Ref<WorkerApi>> both_{left_, right_};
  std::vector<std::string> seen_;
};

TEST_F(AnyActorTest, ForwardsWhatItNeverReads) {
  auto spread = As<WorkerApi>(system_.Spawn<Spread>("spread", both_).value());

  EXPECT_EQ(spread.Ask(Who{}).value(), "/left");
  EXPECT_EQ(spread.Ask(Who{}).value(), "/right");
  EXPECT_EQ(spread.Ask(Who{}).value(), "/left");
}

TEST_F(AnyActorTest, StandsInForAnyApi) {
  auto spread = system_.Spawn<Spread>("spread", both_).value();

  As<AdderApi>(spread).Tell(Add{5});
  system_.WaitUntilQuiet();

  EXPECT_EQ(left_.Ask(Total{}).value(), 5);
}

TEST_F(AnyActorTest, KnowsNamesAndReadsWhatItKnows) {
  auto spread = system_.Spawn<Spread>("spread", both_).value();
  auto spy = As<WorkerApi>(system_.Spawn<Spy>("spy", spread, &seen_).value());

  spy.Tell(Add{3});
  EXPECT_EQ(spy.Ask(Who{}).value(), "/right");

  EXPECT_EQ(seen_, (std::vector<std::string>{"Add 3", "Who?"}));
}

TEST_F(AnyActorTest, AnAskThatItLeavesIsAborted) {
  auto spy = As<WorkerApi>(system_.Spawn<Spy>("spy", Ref<AnyApi>(), &seen_).value());

  EXPECT_TRUE(absl::IsAborted(spy.Ask(Who{}).status()));
}

TEST_F(AnyActorTest, AMessageThatItsTargetDoesNotAcceptStays) {
  struct Deaf : Protocol<void(Seen)> {};
  struct Sink : Actor<Deaf> {
    void On(const Seen&) {}
  };
  struct Blind : AnyActor {
    Blind(Ref<Deaf> to, Status* said) : to_(std::move(to)), said_(said) {}
    void OnAny(const AnyMessage&, Context& context) { *said_ = context.Forward(to_); }
    Ref<Deaf> to_;
    Status* said_;
  };
  Status said;
  auto sink = system_.Spawn<Sink>("sink").value();

  auto blind = As<AdderApi>(system_.Spawn<Blind>("blind", sink, &said).value());
  blind.Tell(Add{1});
  system_.WaitUntilQuiet();

  EXPECT_TRUE(absl::IsInvalidArgument(said)) << said;
}

}  // namespace
}  // namespace quern
