#include "connection/connection.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connection/features.h"
#include "quern/wire/v1/wire.pb.h"
#include "recording_actions.h"

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

UserMessage Letter(std::string body, std::string type = "test.Letter") {
  UserMessage message;
  message.grain = GrainId("box", "k");
  message.type_name = std::move(type);
  message.body = std::move(body);
  return message;
}

TEST(ConnectionTest, EverythingWorksByteByByte) {
  TestEnd a(TestNode("a"), true);
  TestEnd b(TestNode("b"), false);
  a.connection.Start();
  Exchange(a, b, 1);
  UserMessage one = Letter("one");
  UserMessage two = Letter("two", "test.Other");

  ASSERT_TRUE(a.connection.AddUser(0, &one, a.now).ok());
  ASSERT_TRUE(a.connection.AddUser(7, &two, a.now).ok());
  a.connection.Flush();
  Exchange(a, b, 1);

  EXPECT_THAT(b.actions.log, ElementsAre("open a", "user 0 one", "user 7 two"));
  EXPECT_EQ(b.actions.users[1].type_name, "test.Other");
}

TEST(ConnectionTest, WhatPiledUpGoesOutInOnePiece) {
  OpenPair pair;
  for (int i = 0; i < 100; ++i) {
    UserMessage message = Letter("m" + std::to_string(i));
    ASSERT_TRUE(pair.a.connection.AddUser(0, &message, pair.a.now).ok());
  }
  EXPECT_THAT(pair.a.actions.sent, IsEmpty());

  pair.a.connection.Flush();

  EXPECT_EQ(ReadFrameHeader(pair.a.actions.sent).bytes, pair.a.actions.sent.size());
  Exchange(pair.a, pair.b);
  EXPECT_THAT(pair.b.actions.users, SizeIs(100));
}

TEST(ConnectionTest, ATypeIsNamedOnceAConnectionAndDirection) {
  OpenPair pair;
  const auto send = [&](const std::string& type) {
    UserMessage message = Letter("x", type);
    EXPECT_TRUE(pair.a.connection.AddUser(0, &message, pair.a.now).ok());
    pair.a.connection.Flush();
    wire::v1::UserBatch batch;
    const std::string frame = pair.a.actions.sent;
    EXPECT_TRUE(batch.ParseFromString(frame.substr(kFrameHeaderBytes)));
    Exchange(pair.a, pair.b);
    return batch;
  };

  const wire::v1::UserBatch first = send("test.One");
  const wire::v1::UserBatch second = send("test.Two");
  const wire::v1::UserBatch third = send("test.One");

  ASSERT_THAT(first.types(), SizeIs(1));
  EXPECT_EQ(first.types(0).name(), "test.One");
  EXPECT_EQ(second.types(0).name(), "test.Two");
  EXPECT_THAT(third.types(), IsEmpty());
  EXPECT_EQ(third.messages(0).type(), first.types(0).id());
  EXPECT_EQ(third.first_sequence(), 2u);
  EXPECT_EQ(pair.b.actions.users[2].type_name, "test.One");
}

TEST(ConnectionTest, BatchesOfGeneratedCodeAreRead) {
  OpenPair pair;
  wire::v1::UserBatch batch;
  batch.set_view_version(12);
  auto* type = batch.add_types();
  type->set_id(1);
  type->set_name("test.T");
  auto* message = batch.add_messages();
  message->set_type(1);
  message->set_actor_path("user/x");
  message->set_body("b");
  message->set_deadline_remaining_us(1500);
  message->set_traceparent("00-1-2-03");

  pair.b.Hear(Framed(FrameType::kUserBatch, kUserLane, batch));

  EXPECT_THAT(pair.b.actions.log, ElementsAre("view 12", "user 0 b"));
  EXPECT_EQ(pair.b.actions.users[0].actor_path, "user/x");
  EXPECT_EQ(pair.b.actions.users[0].deadline, pair.b.now + 1500us);
}

wire::v1::UserBatch GoodBatch() {
  wire::v1::UserBatch batch;
  auto* type = batch.add_types();
  type->set_id(1);
  type->set_name("test.T");
  auto* message = batch.add_messages();
  message->set_type(1);
  message->mutable_grain()->set_kind("box");
  message->mutable_grain()->set_key("k");
  return batch;
}

// Each breaks one rule of an otherwise good batch.
TEST(ConnectionTest, BadBatchesCloseTheConnection) {
  struct Case {
    const char* what;
    std::function<void(wire::v1::UserBatch&)> spoil;
    CloseReason reason;
  };
  const Case kCases[] = {
      {"a gap in the sequence", [](auto& b) { b.set_first_sequence(1); },
       CloseReason::kUnexpectedFrame},
      {"an undeclared type", [](auto& b) { b.mutable_messages(0)->set_type(2); },
       CloseReason::kMalformedFrame},
      {"type zero", [](auto& b) { b.mutable_messages(0)->clear_type(); },
       CloseReason::kMalformedFrame},
      {"a type declared twice", [](auto& b) { *b.add_types() = b.types(0); },
       CloseReason::kMalformedFrame},
      {"a type without a name", [](auto& b) { b.mutable_types(0)->clear_name(); },
       CloseReason::kMalformedFrame},
      {"no target", [](auto& b) { b.mutable_messages(0)->clear_grain(); },
       CloseReason::kMalformedFrame},
      {"a grain without a kind",
       [](auto& b) { b.mutable_messages(0)->mutable_grain()->clear_kind(); },
       CloseReason::kMalformedFrame},
      {"a grain kind with a slash",
       [](auto& b) { b.mutable_messages(0)->mutable_grain()->set_kind("a/b"); },
       CloseReason::kMalformedFrame},
      {"a path that is too long",
       [](auto& b) {
         b.mutable_messages(0)->set_actor_path(std::string(limits::kActorPathBytesMax + 1, 'p'));
       },
       CloseReason::kMalformedFrame},
      {"a path with NUL",
       [](auto& b) { b.mutable_messages(0)->set_actor_path(std::string("a\0b", 3)); },
       CloseReason::kMalformedFrame},
      {"a long call chain",
       [](auto& b) {
         for (size_t i = 0; i <= limits::kCallChainMax; ++i) {
           b.mutable_messages(0)->add_call_chain("x");
         }
       },
       CloseReason::kMalformedFrame},
      {"a million empty askers",
       [](auto& b) {
         for (int i = 0; i < 1000000; ++i) b.mutable_messages(0)->add_call_chain("");
       },
       CloseReason::kMalformedFrame},
      {"a compressed body",
       [](auto& b) { b.mutable_messages(0)->set_compression(wire::v1::COMPRESSION_ZSTD); },
       CloseReason::kMalformedFrame},
      {"a declared size without compression",
       [](auto& b) { b.mutable_messages(0)->set_uncompressed_bytes(4); },
       CloseReason::kMalformedFrame},
      {"a sender without a proper kind",
       [](auto& b) { b.mutable_messages(0)->mutable_sender()->mutable_grain()->set_key("k"); },
       CloseReason::kMalformedFrame},
  };
  for (const Case& c : kCases) {
    OpenPair pair;
    wire::v1::UserBatch batch = GoodBatch();
    c.spoil(batch);

    pair.b.Hear(Framed(FrameType::kUserBatch, kUserLane, batch));

    EXPECT_THAT(pair.b.actions.log, ElementsAre("closed " + std::string(CloseReasonName(c.reason))))
        << c.what;
    Exchange(pair.a, pair.b);
    EXPECT_THAT(pair.a.actions.log,
                ElementsAre("closed by peer " + std::string(CloseReasonName(c.reason))))
        << c.what;
  }
}

TEST(ConnectionTest, ASequenceThatGoesBackIsRefused) {
  OpenPair pair;
  const std::string frame = Framed(FrameType::kUserBatch, kUserLane, GoodBatch());

  pair.b.Hear(frame);
  pair.b.Hear(frame);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("user 0 ", "closed unexpected_frame"));
}

TEST(ConnectionTest, AnOlderGenerationIsDiscarded) {
  OpenPair pair;
  UserMessage message = Letter("old");
  pair.b.actions.forward = CloseReason::kStaleGeneration;

  ASSERT_TRUE(pair.a.connection.AddUser(0, &message, pair.a.now).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("closed stale_generation"));
}

TEST(ConnectionTest, RepliesAreTakenFromAnOlderGeneration) {
  OpenPair pair;
  UserReply reply{.status = {}, .body = "late but right"};
  pair.b.actions.forward = CloseReason::kStaleGeneration;

  ASSERT_TRUE(pair.a.connection.AddReply(9, &reply).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("reply 9 late but right"));
}

TEST(ConnectionTest, AStatusKeepsItsCodeTextAndReason) {
  OpenPair pair;
  UserReply reply{.status = WithReason(absl::AbortedError("gone to node-2"), Reason::kMoved)};

  ASSERT_TRUE(pair.a.connection.AddReply(9, &reply).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);

  EXPECT_THAT(
      pair.b.actions.log,
      ElementsAre("reply 9 " +
                  WithReason(absl::AbortedError("gone to node-2"), Reason::kMoved).ToString()));
}

TEST(ConnectionTest, FramesOfAnotherLaneAreRefused) {
  OpenPair user;
  OpenPair system(kSystemLane);

  user.b.Hear(Framed(FrameType::kSystemBatch, kUserLane, wire::v1::SystemBatch()));
  system.b.Hear(Framed(FrameType::kUserBatch, kSystemLane, wire::v1::UserBatch()));
  OpenPair wrong_header;
  wrong_header.b.Hear(Framed(FrameType::kPing, kSystemLane, wire::v1::Ping()));

  EXPECT_THAT(user.b.actions.log, ElementsAre("closed unexpected_frame"));
  EXPECT_THAT(system.b.actions.log, ElementsAre("closed unexpected_frame"));
  EXPECT_THAT(wrong_header.b.actions.log, ElementsAre("closed unexpected_frame"));
}

TEST(ConnectionTest, SystemMessagesAndTheirRepliesShareALane) {
  OpenPair pair(kSystemLane);
  SystemBody body{.type = "test.Join", .bytes = "j"};
  StatusOr<SystemBody> good = SystemBody{.type = "test.Joined", .bytes = "ok"};
  StatusOr<SystemBody> bad = absl::NotFoundError("no such node");

  ASSERT_TRUE(pair.a.connection.AddSystem(5, &body, kNever, pair.a.now).ok());
  ASSERT_TRUE(pair.a.connection.AddSystemReply(6, &good).ok());
  ASSERT_TRUE(pair.a.connection.AddSystemReply(7, &bad).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("system 5 test.Join j", "system reply 6 ok",
                                              "system reply 7 " + bad.status().ToString()));
}

TEST(ConnectionTest, AMessageLargerThanThePeersFramesIsRefusedHere) {
  wire::v1::Hello hello = GoodHello();
  hello.mutable_limits()->set_frame_bytes_max(2000);
  TestEnd b(TestNode("b"), false);
  b.Hear(HelloFrame(hello));
  UserMessage large = Letter(std::string(2000, 'x'));
  UserMessage small = Letter("x");

  const Status status = b.connection.AddUser(0, &large, b.now);

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), Reason::kMessageTooLarge);
  EXPECT_TRUE(b.connection.AddUser(0, &small, b.now).ok());
}

TEST(ConnectionTest, ABatchAboveTheSoftBoundStartsAnotherFrame) {
  OpenPair pair;
  for (int i = 0; i < 10; ++i) {
    UserMessage message = Letter(std::string(limits::kBatchBytesSoft / 4, 'x'));
    ASSERT_TRUE(pair.a.connection.AddUser(0, &message, pair.a.now).ok());
  }
  pair.a.connection.Flush();

  EXPECT_LT(ReadFrameHeader(pair.a.actions.sent).bytes, 2 * limits::kBatchBytesSoft);
  Exchange(pair.a, pair.b);
  EXPECT_THAT(pair.b.actions.users, SizeIs(10));
}

TEST(ConnectionTest, TheLargestMessageGoesThrough) {
  OpenPair pair;
  UserMessage small = Letter("x");
  UserMessage large = Letter(std::string(limits::kMessageBytesMax, 'x'));
  for (size_t i = 0; i < limits::kCallChainMax; ++i) {
    large.call_chain.emplace_back(limits::kActorPathBytesMax, 'p');
  }

  ASSERT_TRUE(pair.a.connection.AddUser(0, &small, pair.a.now).ok());
  ASSERT_TRUE(pair.a.connection.AddUser(0, &large, pair.a.now).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b, 100000);

  ASSERT_THAT(pair.b.actions.users, SizeIs(2));
  EXPECT_EQ(pair.b.actions.users[1].body.size(), limits::kMessageBytesMax);
}

TEST(ConnectionTest, TypesAreBoundedOnBothSides) {
  OpenPair pair;
  for (uint32_t i = 0; i < limits::kTypesMax; ++i) {
    UserMessage message = Letter("x", "t" + std::to_string(i));
    ASSERT_TRUE(pair.a.connection.AddUser(0, &message, pair.a.now).ok());
  }
  UserMessage one_more = Letter("x", "one.more");
  UserMessage known = Letter("x", "t0");

  EXPECT_TRUE(absl::IsResourceExhausted(pair.a.connection.AddUser(0, &one_more, pair.a.now)));
  EXPECT_TRUE(pair.a.connection.AddUser(0, &known, pair.a.now).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);
  wire::v1::UserBatch batch;
  batch.set_first_sequence(limits::kTypesMax + 1);
  auto* type = batch.add_types();
  type->set_id(limits::kTypesMax + 1);
  type->set_name("one.more");
  pair.b.Hear(Framed(FrameType::kUserBatch, kUserLane, batch));

  EXPECT_THAT(pair.b.actions.users, SizeIs(limits::kTypesMax + 1));
  EXPECT_EQ(pair.b.actions.log.back(), "closed limit");
}

TEST(ConnectionTest, ASilentPeerIsPingedThenClosed) {
  OpenPair pair;

  pair.b.TickAfter(2s);
  EXPECT_EQ(ReadFrameHeader(pair.b.actions.sent).type, FrameType::kPing);
  Exchange(pair.a, pair.b);
  EXPECT_TRUE(pair.b.connection.open());
  pair.b.TickAfter(9500ms);
  EXPECT_TRUE(pair.b.connection.open());
  pair.b.TickAfter(500ms);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("closed idle"));
}

TEST(ConnectionTest, APeerThatAnswersPingsStays) {
  OpenPair pair;

  for (int i = 0; i < 100; ++i) {
    pair.a.TickAfter(500ms);
    pair.b.TickAfter(500ms);
    Exchange(pair.a, pair.b);
  }

  EXPECT_TRUE(pair.a.connection.open());
  EXPECT_TRUE(pair.b.connection.open());
}

TEST(ConnectionTest, AProcessThatStoodStillDoesNotBlameItsPeers) {
  OpenPair pair;

  pair.b.now += 1h;
  pair.b.connection.Tick(pair.b.now);

  EXPECT_TRUE(pair.b.connection.open());
}

TEST(ConnectionTest, AFrameThatComesTooSlowlyIsCut) {
  OpenPair pair;
  std::string frame(limits::kFrameBytesMax, '\0');
  EndFrame(0, FrameType::kUserBatch, kUserLane, &frame);

  pair.b.Hear(frame.substr(0, 20));
  for (int i = 0; i < 6; ++i) {
    pair.b.TickAfter(500ms);
    pair.b.Hear("\x01");
  }

  EXPECT_THAT(pair.b.actions.log, ElementsAre("closed limit"));
}

TEST(ConnectionTest, AClosedOneIgnoresWhatFollowsInTheSameBytes) {
  OpenPair pair;
  pair.b.actions.close_on_user = true;
  UserMessage one = Letter("one");
  UserMessage two = Letter("two");

  ASSERT_TRUE(pair.a.connection.AddUser(0, &one, pair.a.now).ok());
  ASSERT_TRUE(pair.a.connection.AddUser(0, &two, pair.a.now).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("user 0 one", "closed removed"));
  EXPECT_THAT(pair.a.actions.log, ElementsAre("closed by peer removed"));
}

TEST(ConnectionTest, TheViewVersionOfTheDayIsOnEveryBatch) {
  OpenPair pair;
  UserMessage one = Letter("one");
  UserReply two{.status = {}, .body = "two"};

  pair.a.local.view_version = 4;
  ASSERT_TRUE(pair.a.connection.AddUser(0, &one, pair.a.now).ok());
  pair.a.connection.Flush();
  pair.a.local.view_version = 5;
  ASSERT_TRUE(pair.a.connection.AddReply(1, &two).ok());
  pair.a.connection.Flush();
  Exchange(pair.a, pair.b);

  EXPECT_THAT(pair.b.actions.log, ElementsAre("view 4", "user 0 one", "view 5", "reply 1 two"));
}

}  // namespace
}  // namespace quern::remoting
