#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "quern/quern.h"

namespace quern {
namespace {

struct Greet {
  std::string name;
};
struct Count {};
struct Add {
  int amount = 0;
};
struct Box {
  std::unique_ptr<int> value;
};
struct Refuse {};

struct ApiOne : Protocol<std::string(Greet), int(Count), void(Add), int(Box), void(Refuse)> {};
struct CountApi : Protocol<int(Count)> {};

struct Base : Actor<ApiOne> {
  std::string On(const Greet& m) const noexcept { return "Hello, " + m.name + "!"; }
  int On(Count) { return count_; }

 protected:
  int count_ = 0;
};

struct One : Base {
  using Base::On;
  Status On(const Add& m) {
    count_ += m.amount;
    return absl::OkStatus();
  }
  StatusOr<int> On(Box&& m, Context&) { return *m.value + 1; }
  Status On(Refuse, Context&) { return absl::FailedPreconditionError("no"); }
};

TEST(ActorTest, AnswersAnAskFromAThread) {
  System system("test");
  auto ref = system.Spawn<One>("one");
  ASSERT_TRUE(ref.ok()) << ref.status();

  EXPECT_EQ(ref->Ask(Greet{"world"}).value(), "Hello, world!");
}

TEST(ActorTest, TellsAreHandledInOrderBeforeALaterAsk) {
  System system("test");
  auto ref = system.Spawn<One>("one").value();

  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ref.Tell(Add{1}), Delivery::kAccepted);

  EXPECT_EQ(ref.Ask(Count{}).value(), 1000);
}

TEST(ActorTest, HandlerFormsAreToldApart) {
  System system("test");
  auto ref = system.Spawn<One>("one").value();

  EXPECT_EQ(ref.Ask(Box{std::make_unique<int>(41)}).value(), 42);
  EXPECT_EQ(ref.Ask(Refuse{}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(ref.Ask(Add{3}).ok());
}

TEST(ActorTest, AWideRefConvertsToANarrowOne) {
  System system("test");
  auto wide = system.Spawn<One>("one").value();
  wide.Tell(Add{7});

  Ref<CountApi> narrow = wide;

  EXPECT_EQ(narrow.Ask(Count{}).value(), 7);
}

struct Forward {};
struct ForwarderApi : Protocol<int(Forward)> {};
struct Forwarder : Actor<ForwarderApi> {
  explicit Forwarder(Ref<ApiOne> to) : to_(std::move(to)) {}
  StatusOr<int> On(const Forward&) { return to_.Ask(Count{}); }
  Ref<ApiOne> to_;
};

TEST(ActorTest, AsksFromAHandler) {
  System system("test");
  auto one = system.Spawn<One>("one").value();
  one.Tell(Add{5});

  auto forwarder = system.Spawn<Forwarder>("forwarder", one).value();

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(forwarder.Ask(Forward{}).value(), 5);
}

}  // namespace
}  // namespace quern
