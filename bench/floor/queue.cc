// One Vyukov queue: pushed and popped on one thread, and across threads.

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "floor.h"
#include "mailbox.h"

namespace quern::bench {
namespace {

Outcome Across(int64_t size, int64_t producers) {
  const int64_t each = std::max<int64_t>(1, size / producers);
  std::vector<std::vector<Message>> messages;
  for (int64_t i = 0; i < producers; ++i) messages.emplace_back(static_cast<size_t>(each));
  VyukovQueue queue;
  Stopwatch watch;
  std::vector<std::thread> threads;
  for (auto& mine : messages) {
    threads.emplace_back([&] {
      for (Message& message : mine) queue.Push(&message);
    });
  }
  Outcome outcome{.messages = producers * each};
  for (int64_t popped = 0; popped < outcome.messages;) popped += queue.Pop() != nullptr ? 1 : 0;
  outcome.took = watch.Stop();
  for (std::thread& thread : threads) thread.join();
  return outcome;
}

}  // namespace

Outcome QueueOneThread(const Setup& setup) {
  VyukovQueue queue;
  Message message;
  int64_t popped = 0;
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    queue.Push(&message);
    popped += queue.Pop() == &message ? 1 : 0;
  }
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("popped", static_cast<double>(popped), static_cast<double>(setup.size));
  return outcome;
}

Outcome QueueAcross(const Setup& setup) { return Across(setup.size, 1); }
Outcome QueueTwoProducers(const Setup& setup) { return Across(setup.size, 2); }

}  // namespace quern::bench
