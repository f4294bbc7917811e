// Twenty plain threads fill one mailbox; and what each kind of mailbox costs two actors that do.

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "counting.h"

namespace quern::bench {
namespace {

constexpr int64_t kFillers = 2;

}  // namespace

Outcome MailboxPerformance(const Setup& setup) {
  constexpr int64_t kThreads = 20;
  const int64_t each = std::max<int64_t>(1, setup.size / kThreads);
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto sink = system.Spawn<Sink>("sink", kThreads * each, &finish, &sum).value();
  finish.Expect(1);
  Stopwatch watch;
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int64_t value = 1; value <= each; ++value) sink.Tell(Drop{value});
    });
  }
  finish.Wait();
  Outcome outcome{.messages = kThreads * each, .took = watch.Stop()};
  for (std::thread& thread : threads) thread.join();
  system.Stop();
  outcome.Check("sum received", sum.sum(), SumOf(kThreads, each));
  return outcome;
}

Outcome MailboxDefault(const Setup& setup) { return Count(setup, kFillers); }
Outcome MailboxBounded(const Setup& setup) {
  return Count(setup, kFillers, BoundedMailbox(static_cast<size_t>(setup.size) + 2));
}
Outcome MailboxPriority(const Setup& setup) {
  return Count(setup, kFillers, PriorityMailbox([](const QueuedMessage& message) {
                 return static_cast<int>(message.As<Drop>()->value % 4);
               }));
}
Outcome MailboxFair(const Setup& setup) { return Count(setup, kFillers, FairMailbox()); }

}  // namespace quern::bench
