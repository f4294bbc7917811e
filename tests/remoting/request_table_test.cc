#include "connection/request_table.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class RequestTableTest : public ::testing::Test {
 protected:
  uint64_t Add(const std::string& name, Time deadline = kNever) {
    return table_.Add(
        deadline, [this, name](int reply) { log_.push_back(name + " " + std::to_string(reply)); });
  }
  void End(std::vector<RequestTable<int>::Ended> ended) {
    for (auto& request : ended) request.done(request.sent ? -1 : -2);
  }

  RequestTable<int> table_;
  std::vector<std::string> log_;
};

TEST_F(RequestTableTest, AReplyCountsOnceAndOnlyOnItsConnection) {
  const uint64_t id = Add("a");
  ASSERT_TRUE(table_.MarkSent(id, 7));

  EXPECT_FALSE(table_.Take(id, 8).has_value());
  EXPECT_TRUE(table_.Take(id, 7).has_value());
  EXPECT_FALSE(table_.Take(id, 7).has_value());
}

TEST_F(RequestTableTest, DeadlinesEndTheDueInTheirOrder) {
  const Time start{10s};
  Add("late", start + 3s);
  table_.MarkSent(Add("second", start + 2s), 1);
  Add("first", start + 1s);
  Add("never");

  EXPECT_EQ(table_.next_deadline(), start + 1s);
  End(table_.TakeExpired(start + 2s));

  EXPECT_THAT(log_, ElementsAre("first -2", "second -1"));
  EXPECT_EQ(table_.size(), 2u);
}

TEST_F(RequestTableTest, TheEndOfAConnectionEndsItsOwn) {
  table_.MarkSent(Add("a"), 1);
  table_.MarkSent(Add("b"), 2);
  table_.MarkSent(Add("c"), 1);
  Add("queued");

  End(table_.TakeConnection(1));

  EXPECT_THAT(log_, ElementsAre("a -1", "c -1"));
  End(table_.TakeAll());
  EXPECT_THAT(log_, ElementsAre("a -1", "c -1", "b -1", "queued -2"));
}

TEST_F(RequestTableTest, OneThatEndedIsNotSent) {
  const uint64_t id = Add("a", Time(1s));
  End(table_.TakeExpired(Time(1s)));

  EXPECT_FALSE(table_.MarkSent(id, 1));
}

TEST_F(RequestTableTest, DeadlinesOfTheAnsweredDoNotPileUp) {
  for (int i = 0; i < 100000; ++i) {
    const uint64_t id = Add("x", Time(100s) + i * 1us);
    table_.MarkSent(id, 1);
    table_.Take(id, 1);
  }

  EXPECT_EQ(table_.size(), 0u);
  EXPECT_LE(table_.deadlines(), 1100u);
  EXPECT_THAT(table_.TakeExpired(Time(1000s)), IsEmpty());
}

}  // namespace
}  // namespace quern::remoting
