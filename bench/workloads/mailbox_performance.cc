// Twenty plain threads fill one mailbox; and what each kind of mailbox costs two actors that do.

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Drop {
  int64_t value;
};
struct SinkApi : Protocol<void(Drop)> {};
struct Sink : Actor<SinkApi> {
  Sink(int64_t expected, Finish* finish, Tally* sum)
      : left_(expected), finish_(finish), tally_(sum) {}
  void On(const Drop& m) {
    sum_ += m.value;
    if (--left_ == 0) finish_->One();
  }
  void OnStop() { tally_->Add(sum_); }
  int64_t left_;
  Finish* finish_;
  Tally* tally_;
  int64_t sum_ = 0;
};

struct Burst {
  int64_t count;
};
struct ProducerApi : Protocol<void(Burst)> {};
struct Producer : Actor<ProducerApi> {
  explicit Producer(Ref<SinkApi> sink) : sink_(std::move(sink)) {}
  void On(const Burst& m) {
    for (int64_t i = 1; i <= m.count; ++i) sink_.Tell(Drop{i});
  }
  Ref<SinkApi> sink_;
};

double SumOf(int64_t senders, int64_t each) {
  return static_cast<double>(senders * each * (each + 1) / 2);
}

Outcome FillMailbox(const Setup& setup, const MailboxOptions& mailbox) {
  constexpr int64_t kProducers = 2;
  const int64_t each = std::max<int64_t>(1, setup.size / kProducers);
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto sink =
      system.Spawn<Sink>({.mailbox = mailbox}, "sink", kProducers * each, &finish, &sum).value();
  std::vector<Ref<ProducerApi>> sources;
  for (int64_t i = 0; i < kProducers; ++i) {
    sources.push_back(system.Spawn<Producer>(std::to_string(i), sink).value());
  }
  finish.Expect(1);
  Stopwatch watch;
  for (const auto& source : sources) source.Tell(Burst{each});
  finish.Wait();
  Outcome outcome{.messages = kProducers * each, .took = watch.Stop()};
  system.Stop();
  outcome.Check("sum received", sum.sum(), SumOf(kProducers, each));
  return outcome;
}

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

Outcome MailboxDefault(const Setup& setup) { return FillMailbox(setup, {}); }
Outcome MailboxBounded(const Setup& setup) {
  return FillMailbox(setup, BoundedMailbox(static_cast<size_t>(setup.size) + 2));
}
Outcome MailboxPriority(const Setup& setup) {
  return FillMailbox(setup, PriorityMailbox([](const QueuedMessage& message) {
                       return static_cast<int>(message.As<Drop>()->value % 4);
                     }));
}
Outcome MailboxFair(const Setup& setup) { return FillMailbox(setup, FairMailbox()); }

}  // namespace quern::bench
