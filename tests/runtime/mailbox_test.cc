#include "mailbox/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace quern::internal {
namespace {

struct Item : MailboxNode {
  int producer = 0;
  int number = 0;
};

TEST(MailboxTest, SaysToTheFirstProducerAfterIdleToSchedule) {
  Mailbox mailbox;
  Item a;
  Item b;
  ASSERT_TRUE(mailbox.TryIdle());

  EXPECT_TRUE(mailbox.Push(&a));
  EXPECT_FALSE(mailbox.Push(&b));
}

TEST(MailboxTest, IsNotIdleWhileMessagesWait) {
  Mailbox mailbox;
  Item a;
  mailbox.Push(&a);
  MailboxNode* spent = nullptr;

  EXPECT_FALSE(mailbox.TryIdle());
  EXPECT_EQ(mailbox.Pop(&spent), &a);
  EXPECT_EQ(spent, nullptr) << "the first stub is nobody's to free";
  EXPECT_EQ(mailbox.last_spent(), &a);
  EXPECT_EQ(mailbox.Pop(&spent), nullptr);
  EXPECT_TRUE(mailbox.TryIdle());
}

TEST(MailboxTest, GivesBackEachNodeWhenTheNextOneIsTaken) {
  Mailbox mailbox;
  Item items[3];
  MailboxNode* spent = nullptr;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(mailbox.Push(&items[i]), i > 0) << "idle after each but before the first";
    EXPECT_EQ(mailbox.First(), &items[i]);
    ASSERT_EQ(mailbox.Pop(&spent), &items[i]);
    EXPECT_EQ(spent, i == 0 ? nullptr : &items[i - 1]);
    ASSERT_TRUE(mailbox.Empty());
    ASSERT_TRUE(mailbox.TryIdle());
    ASSERT_TRUE(mailbox.Idle());
  }
}

TEST(MailboxTest, ANodeWithASuccessorMayLeaveTheQueue) {
  Mailbox mailbox;
  Item a;
  Item b;
  mailbox.Push(&a);
  mailbox.Push(&b);
  MailboxNode* spent = nullptr;
  ASSERT_EQ(mailbox.Pop(&spent), &a);

  mailbox.PutBack(spent, &b);
  a.next.store(nullptr);  // it belongs to somebody else now

  EXPECT_EQ(mailbox.First(), &b);
  EXPECT_FALSE(mailbox.TryIdle());
  EXPECT_EQ(mailbox.Pop(&spent), &b);
  EXPECT_EQ(spent, nullptr);
}

TEST(MailboxTest, ANodeInTheMiddleMayLeaveTheQueue) {
  Mailbox mailbox;
  Item a;
  Item b;
  Item c;
  for (Item* item : {&a, &b, &c}) mailbox.Push(item);
  MailboxNode* spent = nullptr;
  ASSERT_EQ(mailbox.Pop(&spent), &a);
  ASSERT_EQ(mailbox.Pop(&spent), &b);
  ASSERT_EQ(spent, &a);

  mailbox.PutBack(spent, &c);
  b.next.store(nullptr);  // it belongs to somebody else now

  EXPECT_EQ(mailbox.Pop(&spent), &c);
  EXPECT_EQ(spent, &a);
  EXPECT_TRUE(mailbox.TryIdle());
}

// Producers hand over the right to consume through the idle tag; every item comes out once and in
// the order of its producer.
TEST(MailboxTest, KeepsTheOrderOfEachProducerAcrossHandovers) {
  constexpr int kProducers = 4;
  constexpr int kItems = 20'000;
  Mailbox mailbox;
  ASSERT_TRUE(mailbox.TryIdle());
  std::vector<std::vector<Item>> items(kProducers);
  for (auto& own : items) own = std::vector<Item>(kItems);
  std::array<int, kProducers> next{};  // written only by whoever may consume
  std::atomic<int> consumed{0};
  std::atomic<bool> in_order{true};

  auto produce = [&](int producer) {
    for (int i = 0; i < kItems; ++i) {
      Item& item = items[producer][i];
      item.producer = producer;
      item.number = i;
      if (!mailbox.Push(&item)) continue;
      do {
        MailboxNode* spent = nullptr;
        while (auto* popped = static_cast<Item*>(mailbox.Pop(&spent))) {
          if (next[popped->producer]++ != popped->number) in_order = false;
          ++consumed;
        }
      } while (!mailbox.TryIdle());
    }
  };
  std::vector<std::thread> threads;
  for (int p = 0; p < kProducers; ++p) threads.emplace_back(produce, p);
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(consumed, kProducers * kItems);
  EXPECT_TRUE(in_order);
}

}  // namespace
}  // namespace quern::internal
