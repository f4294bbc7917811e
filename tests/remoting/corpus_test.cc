// The fuzz corpus as an ordinary test: every seed as it is, and mutated from a seeded stream. The
// seeds are the files of remoting/fuzz/corpus; QUERN_WRITE_CORPUS=1 writes them anew from
// MakeSeeds.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connection/features.h"
#include "connection_fuzz.h"
#include "quern/runtime/random.h"
#include "quern/wire/v1/wire.pb.h"
#include "recording_actions.h"

namespace quern::remoting {
namespace {

// What a dialler says to an acceptor from its Hello on.
std::string Conversation(uint16_t lane, const std::function<void(Connection&, Time)>& say) {
  TestEnd a(TestNode("a"), true, lane);
  TestEnd b(TestNode("b"), false);
  std::string said;
  a.connection.Start();
  said += a.actions.sent;
  Exchange(a, b);
  say(a.connection, a.now);
  a.connection.Flush();
  return said + a.actions.sent;
}

void SayUser(Connection& connection, Time now) {
  for (int i = 0; i < 5; ++i) {
    UserMessage message;
    message.grain = GrainId("box", "key/" + std::to_string(i));
    if (i == 3) message.grain = {};
    message.actor_path = "user/reader-1";
    message.type_name = i % 2 == 0 ? "test.One" : "test.Two";
    message.body = std::string(static_cast<size_t>(i) * 40, 'b');
    message.deadline = now + std::chrono::seconds(5);
    message.sender = {.grain = GrainId("cart", "7"), .epoch = {1, 2, 3, 4}, .actor_id = 5};
    message.target_epoch = {1, 1, 1, 1};
    message.call_chain = {"a", "b/c"};
    ASSERT_TRUE(connection.AddUser(static_cast<uint64_t>(i), &message, now).ok());
  }
  UserReply good{.status = {}, .body = "good"};
  UserReply bad{.status = WithReason(absl::AbortedError("moved"), Reason::kMoved)};
  ASSERT_TRUE(connection.AddReply(1, &good).ok());
  ASSERT_TRUE(connection.AddReply(2, &bad).ok());
}

void SaySystem(Connection& connection, Time now) {
  SystemBody note{.type = "test.Note", .bytes = "n"};
  StatusOr<SystemBody> reply = SystemBody{.type = "test.Reply", .bytes = "r"};
  ASSERT_TRUE(connection.AddSystem(3, &note, now + std::chrono::seconds(1), now).ok());
  ASSERT_TRUE(connection.AddSystemReply(4, &reply).ok());
}

std::map<std::string, std::string> MakeSeeds() {
  const std::string user = Conversation(kUserLane, SayUser);
  const std::string system = Conversation(kSystemLane, SaySystem);
  const std::string closing = Conversation(
      kUserLane, [](Connection& c, Time) { c.Close(CloseReason::kShutdown, "good-bye"); });
  TestEnd a(TestNode("a"), true);
  TestEnd b(TestNode("b"), false);
  a.connection.Start();
  b.Hear(a.actions.TakeSent());
  return {
      {"user_whole", std::string(1, '\0') + user},
      {"user_pieces", std::string(1, static_cast<char>(3 << 2)) + user},
      {"system_whole", std::string(1, '\x02') + system},
      {"close", std::string(1, '\0') + closing},
      {"acceptors_hello", std::string(1, '\x01') + b.actions.sent},
      {"http", std::string(1, '\0') + "GET / HTTP/1.1\r\n\r\n"},
  };
}

std::map<std::string, std::string> ReadCorpus() {
  std::map<std::string, std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    seeds[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return seeds;
}

std::string Mutate(std::string bytes, Random& random) {
  for (uint64_t n = 1 + random.Below(8); n > 0 && !bytes.empty(); --n) {
    const size_t at = random.Below(bytes.size());
    switch (random.Below(6)) {
      case 0:
        bytes[at] = static_cast<char>(random.Next());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
        break;
      case 2:
        bytes.erase(at, 1 + random.Below(16));
        break;
      case 3:
        bytes.insert(at, std::string(1 + random.Below(16), static_cast<char>(random.Next())));
        break;
      case 4:
        bytes.insert(at, bytes.substr(random.Below(bytes.size()), 1 + random.Below(200)));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

TEST(CorpusTest, EverySeedIsRead) {
  if (std::getenv("QUERN_WRITE_CORPUS") != nullptr) {
    for (const auto& [name, bytes] : MakeSeeds()) {
      std::ofstream(std::filesystem::path(QUERN_CORPUS) / name, std::ios::binary) << bytes;
    }
  }
  const auto seeds = ReadCorpus();
  ASSERT_FALSE(seeds.empty()) << "no corpus in " << QUERN_CORPUS;
  for (const auto& [name, bytes] : seeds) FuzzConnection(bytes);
}

// The corpus was written once; that today's connection still understands it is the check that the
// wire format has not changed under it.
TEST(CorpusTest, TheFormatIsTheOneOfTheCorpus) {
  auto seeds = ReadCorpus();

  EXPECT_EQ(FeedToConnection(seeds["user_whole"].substr(1), false, kUserLane, SIZE_MAX / 2), 7u);
  EXPECT_EQ(FeedToConnection(seeds["user_whole"].substr(1), false, kUserLane, 1), 7u);
  EXPECT_EQ(FeedToConnection(seeds["system_whole"].substr(1), false, kSystemLane, 5), 2u);
}

TEST(CorpusTest, MutatedSeedsBreakNothing) {
  const auto seeds = ReadCorpus();
  const std::unique_ptr<Random> random = SeededRandom(20240611);
  for (int round = 0; round < 3000; ++round) {
    for (const auto& [name, bytes] : seeds) FuzzConnection(Mutate(bytes, *random));
  }
}

TEST(CorpusTest, NoiseBreaksNothing) {
  const std::unique_ptr<Random> random = SeededRandom(7);
  for (int round = 0; round < 3000; ++round) {
    std::string noise(1 + random->Below(300), '\0');
    for (char& c : noise) c = static_cast<char>(random->Next());
    FuzzConnection(noise);
  }
}

}  // namespace
}  // namespace quern::remoting
