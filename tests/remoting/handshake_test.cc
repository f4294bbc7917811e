#include "connection/handshake.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connection/features.h"
#include "quern/wire/v1/wire.pb.h"
#include "recording_actions.h"

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(HandshakeTest, TellsBothWhoTheyTalkTo) {
  TestEnd a(TestNode("a"), true, kSystemLane);
  TestEnd b(TestNode("b"), false);

  a.connection.Start();
  Exchange(a, b);

  EXPECT_THAT(a.actions.log, ElementsAre("open b"));
  EXPECT_THAT(b.actions.log, ElementsAre("open a"));
  EXPECT_EQ(b.connection.lane(), kSystemLane);
}

// Each is fed to an acceptor; none may be answered or believed.
struct Stranger {
  const char* what;
  std::string bytes;
  CloseReason reason;
};

TEST(HandshakeTest, StrangersAreRefusedSilentlyAndCounted) {
  std::string large_hello(limits::kHelloBytesMax + 1, '\0');
  EndFrame(0, FrameType::kHello, kUserLane, &large_hello);
  wire::v1::Hello no_process = GoodHello();
  no_process.set_process_id("short");
  wire::v1::Hello long_name = GoodHello();
  long_name.set_node_id(std::string(limits::kHelloNameBytesMax + 1, 'n'));
  wire::v1::Hello control_name = GoodHello();
  control_name.set_node_id("line\nbreak");
  wire::v1::Hello bad_lane = GoodHello();
  bad_lane.set_lane(2);
  wire::v1::Hello bad_magic = GoodHello();
  bad_magic.set_magic(kMagic + 1);
  const Stranger kStrangers[] = {
      {"a browser", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", CloseReason::kBadMagic},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", 10), CloseReason::kBadMagic},
      {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", CloseReason::kBadMagic},
      {"another magic", HelloFrame(bad_magic), CloseReason::kBadMagic},
      {"garbage in a Hello frame", Framed(FrameType::kHello, 1, wire::v1::Ping()),
       CloseReason::kBadMagic},
      {"too large", large_hello, CloseReason::kHandshakeTooLarge},
      {"only the header of a large one", large_hello.substr(0, 8), CloseReason::kHandshakeTooLarge},
      {"work before Hello", Framed(FrameType::kUserBatch, 1, wire::v1::UserBatch()),
       CloseReason::kUnexpectedFrame},
      {"Close before Hello", Framed(FrameType::kClose, 1, wire::v1::Close()),
       CloseReason::kUnexpectedFrame},
      {"no process id", HelloFrame(no_process), CloseReason::kMalformedFrame},
      {"a long name", HelloFrame(long_name), CloseReason::kMalformedFrame},
      {"control characters", HelloFrame(control_name), CloseReason::kMalformedFrame},
      {"an unknown lane", HelloFrame(bad_lane), CloseReason::kMalformedFrame},
  };
  for (const Stranger& stranger : kStrangers) {
    TestEnd b(TestNode("b"), false);

    b.Hear(stranger.bytes);

    EXPECT_THAT(b.actions.log,
                ElementsAre("closed " + std::string(CloseReasonName(stranger.reason))))
        << stranger.what;
    EXPECT_THAT(b.actions.sent, IsEmpty()) << stranger.what;
  }
}

TEST(HandshakeTest, AHelloOfExactlyTheBoundIsRead) {
  wire::v1::Hello hello = GoodHello();
  hello.set_nonce(std::string(limits::kHelloBytesMax - HelloFrame(hello).size() - 3, 'n'));
  ASSERT_EQ(HelloFrame(hello).size(), limits::kHelloBytesMax);
  TestEnd b(TestNode("b"), false);

  b.Hear(HelloFrame(hello));

  EXPECT_THAT(b.actions.log, ElementsAre("open x"));
}

TEST(HandshakeTest, AnotherVersionIsToldOurRange) {
  wire::v1::Hello hello = GoodHello();
  hello.set_version_min(7);
  hello.set_version_max(9);
  TestEnd b(TestNode("b"), false);
  TestEnd a(TestNode("a"), true);

  b.Hear(HelloFrame(hello));
  a.connection.Start();
  a.Hear(b.actions.TakeSent());  // what an old dialler would read

  EXPECT_THAT(b.actions.log, ElementsAre("closed version"));
  EXPECT_THAT(a.actions.log, ElementsAre("open b", "closed by peer version"));
}

TEST(HandshakeTest, ADiallerRefusesAnotherVersion) {
  wire::v1::Hello hello = GoodHello();
  hello.set_version_min(1);
  hello.set_version_max(1);
  TestEnd a(TestNode("a"), true);

  a.connection.Start();
  a.Hear(HelloFrame(hello));

  EXPECT_THAT(a.actions.log, ElementsAre("closed version"));
}

TEST(HandshakeTest, AnotherClusterIsRefusedOnBothSides) {
  LocalNode elsewhere = TestNode("b");
  elsewhere.identity.cluster_id = "other";
  TestEnd a(TestNode("a"), true);
  TestEnd b(elsewhere, false);

  a.connection.Start();
  Exchange(a, b);

  EXPECT_THAT(a.actions.log, ElementsAre("closed cluster_id"));
  EXPECT_THAT(b.actions.log, ElementsAre("closed cluster_id"));
}

TEST(HandshakeTest, OneselfIsRefused) {
  TestEnd a(TestNode("a"), true);
  TestEnd b(TestNode("a"), false);

  a.connection.Start();
  Exchange(a, b);

  EXPECT_THAT(a.actions.log, ElementsAre("closed self_connection"));
  EXPECT_THAT(b.actions.log, ElementsAre("closed self_connection"));
}

TEST(HandshakeTest, AnotherProcessThanExpectedIsRefusedOnBothSides) {
  ProcessId expected;
  expected.fill(42);
  TestEnd a(TestNode("a"), true, kUserLane, 1, expected);
  TestEnd b(TestNode("b"), false);

  a.connection.Start();
  Exchange(a, b);

  EXPECT_THAT(a.actions.log, ElementsAre("closed wrong_process"));
  EXPECT_THAT(b.actions.log, ElementsAre("closed wrong_process"));
}

TEST(HandshakeTest, AProbeLearnsWhoAnswersWhoeverItMeant) {
  ProcessId expected;
  expected.fill(42);
  wire::v1::Hello hello = GoodHello();
  hello.set_lane(kProbeLane);
  hello.set_expected_process_id(std::string(expected.begin(), expected.end()));
  TestEnd b(TestNode("b"), false);

  b.Hear(HelloFrame(hello));

  EXPECT_THAT(b.actions.log, ElementsAre("open x"));
  b.TickAfter(3s);
  EXPECT_THAT(b.actions.log, ElementsAre("open x", "closed handshake_timeout"));
}

TEST(HandshakeTest, WhoIsNotAdmittedIsToldWhyAndNothingElse) {
  TestEnd a(TestNode("a"), true);
  TestEnd b(TestNode("b"), false);
  b.actions.admit = CloseReason::kRemoved;

  a.connection.Start();
  Exchange(a, b);

  EXPECT_THAT(a.actions.log, ElementsAre("closed by peer removed"));
  EXPECT_THAT(b.actions.log, ElementsAre("closed removed"));
}

TEST(HandshakeTest, AHandshakeHasThreeSecondsInAll) {
  TestEnd silent(TestNode("b"), false);
  TestEnd slow(TestNode("b"), false);
  const std::string hello = HelloFrame(GoodHello());

  silent.TickAfter(2900ms);
  EXPECT_TRUE(silent.connection.in_handshake());
  silent.TickAfter(100ms);
  for (int i = 0; i < 20; ++i) {
    slow.Hear(hello.substr(static_cast<size_t>(i), 1));
    slow.TickAfter(200ms);
  }

  EXPECT_THAT(silent.actions.log, ElementsAre("closed handshake_timeout"));
  EXPECT_THAT(slow.actions.log, ElementsAre("closed handshake_timeout"));
}

TEST(HandshakeTest, ASecondHelloIsRefused) {
  OpenPair pair;

  pair.b.Hear(HelloFrame(GoodHello()));

  EXPECT_THAT(pair.b.actions.log, ElementsAre("closed unexpected_frame"));
}

}  // namespace
}  // namespace quern::remoting
