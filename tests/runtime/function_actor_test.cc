#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "quern/quern.h"
#include "quern/runtime/function_actor.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Greet {
  std::string name;
};
struct Count {};
struct Break {};
struct GreeterApi : Protocol<std::string(Greet), int(Count), void(Break)> {};

constexpr auto kGreet = [](const Greet& m, Context& context) {
  return m.name + " at " + context.path();
};
constexpr auto kThrow = [](const Break&) { throw std::runtime_error("broken"); };

class FunctionActorTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_}};
};

TEST_F(FunctionActorTest, AnswersWithItsFunctions) {
  auto greeter = SpawnFunction<GreeterApi>(
      system_, "greeter", kGreet, [count = 0](const Count&) mutable { return ++count; }, kThrow);

  EXPECT_EQ(greeter->Ask(Greet{"Ada"}).value(), "Ada at /greeter");
  EXPECT_EQ(greeter->Ask(Count{}).value(), 1);
  EXPECT_EQ(greeter->Ask(Count{}).value(), 2);
}

TEST_F(FunctionActorTest, NeedsNoName) {
  const auto count = [](const Count&) -> StatusOr<int> { return 1; };

  auto one = SpawnFunction<GreeterApi>(system_, kGreet, count, kThrow);
  auto two = SpawnFunction<GreeterApi>(system_, kGreet, count, kThrow);

  EXPECT_EQ(one->path().rfind("/$", 0), 0u) << one->path();
  EXPECT_NE(one->path(), two->path());
}

TEST_F(FunctionActorTest, MayAnswerLater) {
  auto greeter = SpawnFunction<GreeterApi>(
      system_, "greeter", kGreet, [](const Count&, Deferred<int> reply) { reply.Answer(9); },
      kThrow);

  EXPECT_EQ(greeter->Ask(Count{}).value(), 9);
}

TEST_F(FunctionActorTest, ARestartBeginsWithItsFirstCaptures) {
  auto greeter = SpawnFunction<GreeterApi>(
      system_, "greeter", kGreet, [count = 0](const Count&) mutable { return ++count; }, kThrow);
  EXPECT_EQ(greeter->Ask(Count{}).value(), 1);
  EXPECT_EQ(greeter->Ask(Count{}).value(), 2);

  EXPECT_EQ(greeter->Ask(Break{}).code(), absl::StatusCode::kUnknown);
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(1s);

  EXPECT_EQ(greeter->Ask(Count{}).value(), 1);
}

TEST_F(FunctionActorTest, SpawnsAsAChild) {
  auto parent = SpawnFunction<GreeterApi>(
      system_, "parent",
      [](const Greet& m, Context& context) -> StatusOr<std::string> {
        auto child = SpawnFunction<GreeterApi>(
            context, "child", kGreet, [](const Count&) { return 0; }, kThrow);
        return child->Ask(Greet{m.name});
      },
      [](const Count&) { return 0; }, kThrow);

  EXPECT_EQ(parent->Ask(Greet{"Bob"}).value(), "Bob at /parent/child");
}

}  // namespace
}  // namespace quern
