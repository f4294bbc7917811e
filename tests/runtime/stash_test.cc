#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using testing::FakeClock;
using namespace std::chrono_literals;

struct Write {
  std::string line;
};
struct Query {
  int value = 0;
};
struct Box {
  std::unique_ptr<int> value;
};
struct Open {};
struct OpenOne {};
struct Close {};
struct Break {};
struct Log {};
struct Said {};
struct JournalApi : Protocol<void(Write), int(Query), int(Box), size_t(Open), bool(OpenOne),
                             void(Close), void(Break), std::string(Log), absl::StatusCode(Said)> {};

// Takes lines only while it is open; what comes earlier waits in the stash.
struct Journal : Actor<JournalApi> {
  struct Opened {
    static void On(Journal& self, const Write& m) { *self.log_ += m.line; }
    static int On(Journal&, const Query& m) { return m.value; }
  };
  explicit Journal(std::string* log) : log_(log) {}

  void On(const Write&, Context& context) { said_ = context.Stash(); }
  int On(const Query&, Context& context) {
    said_ = context.Stash();
    return -1;
  }
  int On(Box&&, Context& context) {
    said_ = context.Stash();
    return -1;
  }
  size_t On(const quern::Open&, Context& context) {
    Become<Opened>();
    return context.UnstashAll();
  }
  bool On(const OpenOne&, Context& context) {
    Become<Opened>();
    return context.Unstash();
  }
  void On(const Close&) { Unbecome(); }
  void On(const Break&) { throw std::runtime_error("torn"); }
  std::string On(const Log&) { return *log_; }
  absl::StatusCode On(const Said&) { return said_.code(); }

  std::string* log_;
  Status said_;
};

class StashTest : public ::testing::Test {
 protected:
  Ref<JournalApi> Spawn(size_t capacity) {
    return system_.Spawn<Journal>({.stash_capacity = capacity}, "journal", &log_).value();
  }

  std::string log_;
  FakeClock clock_;
  System system_{SystemOptions{.name = "test", .workers = 1, .clock = &clock_}};
};

struct QueryFor {
  int value = 0;
  Duration timeout = 1min;
};
struct Answer {};
struct ClientApi : Protocol<void(QueryFor), int(Answer)> {};
struct Client : Actor<ClientApi> {
  explicit Client(Ref<JournalApi> journal) : journal_(std::move(journal)) {}
  void On(const QueryFor& m) { answer_ = journal_.Ask(Query{m.value}, m.timeout); }
  StatusOr<int> On(const Answer&) { return answer_; }
  Ref<JournalApi> journal_;
  StatusOr<int> answer_ = absl::UnknownError("none yet");
};

TEST_F(StashTest, ComesBackInOrderOfArrivalAheadOfLaterMail) {
  auto journal = Spawn(10);
  for (const char* line : {"a", "b", "c"}) journal.Tell(Write{line});
  journal.Tell(quern::Open{});
  for (const char* line : {"d", "e"}) journal.Tell(Write{line});

  EXPECT_EQ(journal.Ask(Log{}).value(), "abcde");
}

TEST_F(StashTest, OneAtATimeComesBackTheOldestFirst) {
  auto journal = Spawn(10);
  for (const char* line : {"a", "b", "c"}) journal.Tell(Write{line});

  EXPECT_TRUE(journal.Ask(OpenOne{}).value());
  EXPECT_EQ(journal.Ask(Log{}).value(), "a");
  EXPECT_TRUE(journal.Ask(OpenOne{}).value());
  EXPECT_TRUE(journal.Ask(OpenOne{}).value());
  EXPECT_FALSE(journal.Ask(OpenOne{}).value());
  EXPECT_EQ(journal.Ask(Log{}).value(), "abc");
}

TEST_F(StashTest, AnAskStaysUnansweredUntilItIsBack) {
  auto journal = Spawn(10);
  auto client = system_.Spawn<Client>("client", journal).value();
  client.Tell(QueryFor{5});
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal.Ask(quern::Open{}).value(), 1u);

  EXPECT_EQ(client.Ask(Answer{}).value(), 5);
}

TEST_F(StashTest, AnAskKeepsItsDeadline) {
  auto journal = Spawn(10);
  auto client = system_.Spawn<Client>("client", journal).value();
  client.Tell(QueryFor{5, 10ms});
  system_.WaitUntilQuiet();

  clock_.AdvanceBy(10ms);

  EXPECT_TRUE(absl::IsDeadlineExceeded(client.Ask(Answer{}).status()));
  EXPECT_EQ(journal.Ask(quern::Open{}).value(), 1u);
  EXPECT_EQ(journal.Ask(Log{}).value(), "");
}

TEST_F(StashTest, AMessageMayBePutAsideAgain) {
  auto journal = Spawn(10);
  for (const char* line : {"a", "b"}) journal.Tell(Write{line});
  journal.Tell(quern::Open{});
  journal.Tell(Close{});
  for (const char* line : {"c", "d"}) journal.Tell(Write{line});
  EXPECT_EQ(journal.Ask(Log{}).value(), "ab");

  EXPECT_EQ(journal.Ask(quern::Open{}).value(), 2u);

  EXPECT_EQ(journal.Ask(Log{}).value(), "abcd");
}

TEST_F(StashTest, WithoutACapacityThereIsNone) {
  auto journal = Spawn(0);

  EXPECT_EQ(journal.Ask(Query{1}).value(), -1);

  EXPECT_EQ(journal.Ask(Said{}).value(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(journal.Ask(quern::Open{}).value(), 0u);
  EXPECT_FALSE(journal.Ask(OpenOne{}).value());
}

TEST_F(StashTest, AFullOneTakesNoMore) {
  auto journal = Spawn(2);
  for (const char* line : {"a", "b"}) journal.Tell(Write{line});

  EXPECT_EQ(journal.Ask(Query{1}).value(), -1);

  EXPECT_EQ(journal.Ask(Said{}).value(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(journal.Ask(quern::Open{}).value(), 2u);
  EXPECT_EQ(journal.Ask(Log{}).value(), "ab");
}

TEST_F(StashTest, AMessageThatItsHandlerTookCannotBePutAside) {
  auto journal = Spawn(10);

  EXPECT_EQ(journal.Ask(Box{std::make_unique<int>(1)}).value(), -1);

  EXPECT_EQ(journal.Ask(Said{}).value(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StashTest, AStopDeadLettersIt) {
  auto journal = Spawn(10);
  auto client = system_.Spawn<Client>("client", journal).value();
  for (const char* line : {"a", "b"}) journal.Tell(Write{line});
  client.Tell(QueryFor{5});
  system_.WaitUntilQuiet();

  journal.Stop();
  system_.WaitUntilQuiet();

  EXPECT_EQ(system_.dead_letters(DeadLetterReason::kStopped), 2u);
  EXPECT_TRUE(absl::IsUnavailable(client.Ask(Answer{}).status()));
}

TEST_F(StashTest, ARestartPutsItBackAheadOfTheMailbox) {
  auto journal = Spawn(10);
  for (const char* line : {"a", "b"}) journal.Tell(Write{line});
  journal.Tell(Break{});
  system_.WaitUntilQuiet();
  journal.Tell(quern::Open{});
  journal.Tell(Write{"c"});

  clock_.AdvanceBy(1s);

  // The new object is closed: it has put both aside again before it was opened.
  EXPECT_EQ(journal.Ask(Log{}).value(), "abc");
}

TEST_F(StashTest, ALongOneComesBackWhole) {
  auto journal = Spawn(100'000);
  for (int i = 0; i < 100'000; ++i) journal.Tell(Write{"."});

  EXPECT_EQ(journal.Ask(quern::Open{}).value(), 100'000u);

  EXPECT_EQ(journal.Ask(Log{}).value().size(), 100'000u);
}

}  // namespace
}  // namespace quern
