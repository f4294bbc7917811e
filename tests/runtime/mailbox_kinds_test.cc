#include "posix_semaphore.h"
#include "quern/runtime/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "collecting_logger.h"
#include "mailbox/chosen_mailbox.h"
#include "mailbox/mailbox_queues.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Holds its actor in a handler until the test lets it go.
struct Gate {
  PosixSemaphore entered{0};
  PosixSemaphore leave{0};
};
struct Hold {
  Gate* gate;  // the test outlives the actor
};
struct Note {
  int value = 0;
  int priority = 0;
};
struct Query {
  int value = 0;
};
struct Seen {};
struct TellSelf {
  int times = 0;
};
struct NotesApi
    : Protocol<void(Hold), void(Note), int(Query), std::vector<int>(Seen), int(TellSelf)> {};

struct Notes : Actor<NotesApi> {
  void On(const Hold& m) {
    m.gate->entered.release();
    m.gate->leave.acquire();
  }
  void On(const Note& m) { seen_.push_back(m.value); }
  int On(const Query& m) { return m.value; }
  std::vector<int> On(const Seen&) { return seen_; }
  int On(const TellSelf& m) {
    int accepted = 0;
    for (int i = 0; i < m.times; ++i) {
      if (Self().Tell(Note{i}) == Delivery::kAccepted) ++accepted;
    }
    return accepted;
  }
  std::vector<int> seen_;
};

int PriorityOf(const QueuedMessage& message) {
  const Note* note = message.As<Note>();
  return note == nullptr ? 0 : note->priority;
}

class MailboxKindsTest : public ::testing::Test {
 protected:
  Ref<NotesApi> SpawnHeld(MailboxOptions mailbox) {
    auto notes = system_.Spawn<Notes>({.mailbox = std::move(mailbox)}, "notes").value();
    notes.Tell(Hold{&gate_});
    gate_.entered.acquire();
    return notes;
  }
  std::vector<int> Release(const Ref<NotesApi>& notes) {
    gate_.leave.release();
    system_.WaitUntilQuiet();
    return notes.Ask(Seen{}).value();
  }

  CollectingLogger logger_;
  FakeClock clock_;
  System system_{{.name = "test", .workers = 2, .clock = &clock_, .logger = &logger_}};
  Gate gate_;
};

TEST_F(MailboxKindsTest, ABoundedOneRefusesWhatComesAboveItsCapacity) {
  auto notes = SpawnHeld(BoundedMailbox(2));

  const std::vector<Delivery> told = {notes.Tell(Note{1}), notes.Tell(Note{2}),
                                      notes.Tell(Note{3})};

  EXPECT_THAT(told, ElementsAre(Delivery::kAccepted, Delivery::kAccepted, Delivery::kFull));
  EXPECT_THAT(Release(notes), ElementsAre(1, 2));
  EXPECT_EQ(system_.dead_letters(), 1u);
  EXPECT_EQ(system_.RecentDeadLetters().front().reason, DeadLetterReason::kFull);
}

TEST_F(MailboxKindsTest, TheOldestMayMakeRoom) {
  auto notes = SpawnHeld(BoundedMailbox(2, WhenFull::kDropOldest));

  for (int i = 1; i <= 4; ++i) EXPECT_EQ(notes.Tell(Note{i}), Delivery::kAccepted);

  EXPECT_THAT(Release(notes), ElementsAre(3, 4));
  EXPECT_EQ(system_.dead_letters(), 2u);
  EXPECT_EQ(system_.RecentDeadLetters().front().reason, DeadLetterReason::kDropped);
}

TEST_F(MailboxKindsTest, TheNewestMayMakeRoom) {
  auto notes = SpawnHeld(BoundedMailbox(2, WhenFull::kDropNewest));

  for (int i = 1; i <= 4; ++i) EXPECT_EQ(notes.Tell(Note{i}), Delivery::kAccepted);

  EXPECT_THAT(Release(notes), ElementsAre(1, 4));
}

TEST_F(MailboxKindsTest, AnAskThatIsDroppedIsAnsweredAtOnce) {
  auto notes = SpawnHeld(BoundedMailbox(1));
  notes.Tell(Note{1});

  const StatusOr<int> reply = notes.Ask(Query{7});

  EXPECT_EQ(reply.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("/notes is full"));
  gate_.leave.release();
}

TEST_F(MailboxKindsTest, ASelfSendNeverWaits) {
  auto notes = system_.Spawn<Notes>({.mailbox = BoundedMailbox(3)}, "notes").value();

  EXPECT_EQ(notes.Ask(TellSelf{10}).value(), 3);
  system_.WaitUntilQuiet();
  EXPECT_THAT(notes.Ask(Seen{}).value(), ElementsAre(0, 1, 2));
}

TEST_F(MailboxKindsTest, AStopPassesAFullMailbox) {
  auto notes = SpawnHeld(BoundedMailbox(1));
  notes.Tell(Note{1});

  notes.Stop();
  gate_.leave.release();
  system_.WaitUntilQuiet();

  EXPECT_EQ(notes.Tell(Note{2}), Delivery::kStopped);
  EXPECT_EQ(MailboxCountsOf(notes)->dropped_for(DeadLetterReason::kStopped), 2u);
}

TEST_F(MailboxKindsTest, PriorityRunsTheLargerFirstAndEqualsInOrderOfArrival) {
  auto notes = SpawnHeld(PriorityMailbox(&PriorityOf));

  for (const Note& note : {Note{1, 0}, Note{2, 5}, Note{3, 0}, Note{4, 5}, Note{5, 9}}) {
    notes.Tell(note);
  }

  EXPECT_THAT(Release(notes), ElementsAre(5, 2, 4, 1, 3));
}

TEST_F(MailboxKindsTest, ABoundedPriorityMailboxRefusesOrDropsTheLeastUrgent) {
  auto refusing = SpawnHeld(PriorityMailbox(&PriorityOf, 2));
  refusing.Tell(Note{1, 1});
  refusing.Tell(Note{2, 1});
  EXPECT_EQ(refusing.Tell(Note{3, 9}), Delivery::kFull);
  EXPECT_THAT(Release(refusing), ElementsAre(1, 2));
  refusing.Stop();
  system_.WaitUntilQuiet();

  auto dropping = SpawnHeld(PriorityMailbox(&PriorityOf, 2, WhenFull::kDropNewest));
  dropping.Tell(Note{1, 1});
  dropping.Tell(Note{2, 1});
  EXPECT_EQ(dropping.Tell(Note{3, 9}), Delivery::kAccepted);
  EXPECT_EQ(dropping.Tell(Note{4, 0}), Delivery::kFull);
  EXPECT_THAT(Release(dropping), ElementsAre(3, 1));
}

struct Burst {
  Ref<NotesApi> to;
  int from = 0;
  int to_value = 0;
};
struct BurstApi : Protocol<int(Burst)> {};
struct Burster : Actor<BurstApi> {
  int On(const Burst& m) {
    for (int i = m.from; i < m.to_value; ++i) m.to.Tell(Note{i});
    return m.to_value - m.from;
  }
};

TEST_F(MailboxKindsTest, AFairOneTakesFromEachSenderInTurn) {
  auto notes = SpawnHeld(FairMailbox());
  auto a = system_.Spawn<Burster>("a").value();
  auto b = system_.Spawn<Burster>("b").value();

  ASSERT_EQ(a.Ask(Burst{notes, 100, 104}).value(), 4);
  ASSERT_EQ(b.Ask(Burst{notes, 200, 202}).value(), 2);
  notes.Tell(Note{1});

  EXPECT_THAT(Release(notes), ElementsAre(100, 200, 1, 101, 201, 102, 103));
}

TEST_F(MailboxKindsTest, SendersBeyondTheTableOfAFairOneShareALine) {
  internal::FairQueue queue(0);
  const auto message = [](uint64_t sender, int value) {
    internal::Envelope* envelope =
        internal::MakeEnvelope<void(Note)>(0, /*ask=*/false, Note{value, 0});
    envelope->sender_id = sender;
    return internal::ChosenMailbox::Wrap(envelope);
  };
  for (size_t sender = 1; sender <= kFairSendersMax; ++sender) queue.Enqueue(message(sender, 0));

  queue.Enqueue(message(kFairSendersMax + 1, 1));
  queue.Enqueue(message(kFairSendersMax + 2, 2));
  queue.Enqueue(message(1, 3));

  std::vector<int> order;
  while (QueuedMessage next = queue.Dequeue()) {
    if (next.As<Note>()->value != 0) order.push_back(next.As<Note>()->value);
  }
  EXPECT_THAT(order, ElementsAre(1, 3, 2));
  EXPECT_EQ(queue.size(), 0u);
}

TEST_F(MailboxKindsTest, AFairOneMayHaveABound) {
  auto notes = SpawnHeld(FairMailbox(1));

  EXPECT_EQ(notes.Tell(Note{1}), Delivery::kAccepted);
  EXPECT_EQ(notes.Tell(Note{2}), Delivery::kFull);
  gate_.leave.release();
}

// Keeps only the latest of each value.
class LatestOnly final : public MailboxQueue {
 public:
  explicit LatestOnly(bool throws) : throws_(throws) {}

  QueuedMessage Enqueue(QueuedMessage message) override {
    if (throws_) throw std::runtime_error("no more");
    const Note* note = message.As<Note>();
    for (QueuedMessage& queued : messages_) {
      const Note* other = queued.As<Note>();
      if (note == nullptr || other == nullptr || other->value != note->value) continue;
      std::swap(queued, message);
      return message;
    }
    messages_.push_back(std::move(message));
    return {};
  }
  QueuedMessage Dequeue() override {
    if (messages_.empty()) return {};
    QueuedMessage next = std::move(messages_.front());
    messages_.pop_front();
    return next;
  }
  size_t size() const override { return messages_.size(); }

 private:
  const bool throws_;
  std::deque<QueuedMessage> messages_;
};

TEST_F(MailboxKindsTest, OnesOwnKindDecidesWhatMakesRoom) {
  auto notes = SpawnHeld(CustomMailbox<LatestOnly>(false));

  for (int value : {1, 2, 1, 3, 2}) notes.Tell(Note{value});

  EXPECT_THAT(Release(notes), ElementsAre(1, 2, 3));
  EXPECT_EQ(MailboxCountsOf(notes)->dropped_for(DeadLetterReason::kDropped), 2u);
}

TEST_F(MailboxKindsTest, WhatOnesOwnKindLosesIsCountedAndAnswered) {
  auto notes = system_.Spawn<Notes>({.mailbox = CustomMailbox<LatestOnly>(true)}, "n").value();

  EXPECT_THROW(notes.Tell(Note{1}), std::runtime_error);

  EXPECT_EQ(MailboxCountsOf(notes)->dropped_for(DeadLetterReason::kDropped), 1u);
}

TEST_F(MailboxKindsTest, OptionsThatContradictThemselvesAreRefusedAtTheSpawn) {
  const auto code = [&](MailboxOptions mailbox) {
    return system_.Spawn<Notes>({.mailbox = std::move(mailbox)}, "x").status().code();
  };

  EXPECT_EQ(code(BoundedMailbox(0)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(PriorityMailbox(nullptr)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(PriorityMailbox(&PriorityOf, 2, WhenFull::kDropOldest)),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.kind = MailboxOptions::Kind::kCustom}), absl::StatusCode::kInvalidArgument);
}

struct HeldApi : Protocol<void(bool), int(int)> {
  static constexpr std::string_view kKind = "held";
};
struct Held : Grain<HeldApi> {
  void On(const bool&) {
    gate->entered.release();
    gate->leave.acquire();
  }
  int On(const int& m) { return m; }
  static inline Gate* gate = nullptr;
};

TEST_F(MailboxKindsTest, AGrainsMailboxMayHaveABound) {
  Held::gate = &gate_;
  GrainOptions options;
  options.mailbox_capacity = 1;
  ASSERT_TRUE(system_.Host<Held>(options).ok());
  auto grain = system_.Grain<HeldApi>("a");
  grain.Tell(true);
  gate_.entered.acquire();

  EXPECT_EQ(grain.Tell(1), Delivery::kAccepted);
  EXPECT_EQ(grain.Tell(2), Delivery::kFull);
  EXPECT_EQ(grain.Ask(3).status().code(), absl::StatusCode::kResourceExhausted);
  gate_.leave.release();
}

TEST_F(MailboxKindsTest, TheDefaultCountsNothing) {
  auto notes = system_.Spawn<Notes>("notes").value();

  EXPECT_FALSE(MailboxCountsOf(notes).has_value());
  EXPECT_FALSE(MailboxCountsOf(Ref<NotesApi>()).has_value());
}

}  // namespace
}  // namespace quern
