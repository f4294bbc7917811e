#include "flights/fleet.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include "temp_file.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const NodeName kNode = {"us-west", "node-1"};
constexpr char kSayReady[] = "printf '\\012\\000' >&3\n";            // FromNode{ready{}}
constexpr char kSayStats[] = "printf '\\022\\002\\020\\003' >&3\n";  // FromNode{stats{refused: 3}}

// A fleet of one whose node runs a shell script instead of a node.
class FleetTest : public ::testing::Test {
 protected:
  quern::Status StartNode(const std::string& script) {
    program_ = std::make_unique<TempFile>("node.sh", "#!/bin/sh\n" + script);
    ::chmod(program_->path().c_str(), 0700);
    fleet_ = std::make_unique<Fleet>(
        Fleet::Options{.executable = program_->path(), .folder = program_->folder()},
        quern::SystemClock());
    return fleet_->Start(
        {.name = kNode, .nats_url = "a", .global_nats_url = "b", .airports_path = "c"});
  }

  std::unique_ptr<TempFile> program_;
  std::unique_ptr<Fleet> fleet_;
};

std::string Message(const quern::Status& status) { return std::string(status.message()); }

TEST_F(FleetTest, WaitsUntilTheNodesSayTheyAreReady) {
  ASSERT_TRUE(StartNode(kSayReady + std::string("exec cat <&3")).ok());

  EXPECT_TRUE(fleet_->WaitUntilReady(10s).ok());
  EXPECT_THAT(fleet_->Running(), ElementsAre(kNode));
}

TEST_F(FleetTest, NamesTheNodesThatAreNotReadyInTime) {
  ASSERT_TRUE(StartNode("exec cat <&3").ok());

  const quern::Status status = fleet_->WaitUntilReady(1ms);

  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(status), HasSubstr("us-west/node-1"));
}

TEST_F(FleetTest, ANodeThatEndsByItselfIsAFailureWithItsLastWords) {
  ASSERT_TRUE(StartNode("for i in 1 2 3 4 5 6 7; do echo word $i; done; kill -SEGV $$").ok());

  const quern::Status status = fleet_->WaitUntilReady(10s);

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("us-west/node-1 ended by itself (signal 11"),
                                     HasSubstr("word 3\n    word 4"), HasSubstr("word 7"),
                                     ::testing::Not(HasSubstr("word 2"))));
}

TEST_F(FleetTest, ANodeThatCannotStartSaysWhy) {
  ASSERT_TRUE(StartNode("printf '\\042\\004full' >&3; exit 1").ok());  // FromNode{failed: "full"}

  EXPECT_EQ(Message(fleet_->WaitUntilReady(10s)), "us-west/node-1 could not start: full");
}

TEST_F(FleetTest, AskGetsTheAnswer) {
  ASSERT_TRUE(
      StartNode(kSayReady + std::string("head -c 1 <&3\n") + kSayStats + "exec cat <&3").ok());
  ASSERT_TRUE(fleet_->WaitUntilReady(10s).ok());

  const auto answer = fleet_->Ask(kNode, v1::ToNode::COMMAND_STATS, v1::FromNode::kStats, 10s);

  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->stats().refused_writes(), 3u);
}

TEST_F(FleetTest, AskOfAStoppedNodeEndsAtItsDeadline) {
  ASSERT_TRUE(StartNode(kSayReady + std::string("exec cat <&3")).ok());
  ASSERT_TRUE(fleet_->WaitUntilReady(10s).ok());
  ASSERT_TRUE(fleet_->Signal(kNode, SIGSTOP).ok());

  EXPECT_EQ(
      fleet_->Ask(kNode, v1::ToNode::COMMAND_STATS, v1::FromNode::kStats, 1ms).status().code(),
      absl::StatusCode::kDeadlineExceeded);
}

TEST_F(FleetTest, AnOrderedKillIsNoFailure) {
  ASSERT_TRUE(StartNode(kSayReady + std::string("exec cat <&3")).ok());
  ASSERT_TRUE(fleet_->WaitUntilReady(10s).ok());

  fleet_->Kill(kNode);
  while (!fleet_->Running().empty()) ASSERT_TRUE(fleet_->Poll(10s).ok());

  EXPECT_EQ(fleet_->Ask(kNode, v1::ToNode::COMMAND_STATS, v1::FromNode::kStats, 1s).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(FleetTest, LeaveEndsEveryNodeEvenOneThatDoesNotListen) {
  ASSERT_TRUE(StartNode(kSayReady + std::string("trap '' TERM; exec cat <&3")).ok());
  ASSERT_TRUE(fleet_->WaitUntilReady(10s).ok());

  fleet_->Leave(1ms);

  EXPECT_THAT(fleet_->Running(), IsEmpty());
}

}  // namespace
}  // namespace flights
