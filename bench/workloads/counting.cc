#include "counting.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace quern::bench {
namespace {

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

}  // namespace

Outcome Count(const Setup& setup, int64_t producers, const MailboxOptions& mailbox) {
  const int64_t each = std::max<int64_t>(1, setup.size / producers);
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto sink =
      system.Spawn<Sink>({.mailbox = mailbox}, "sink", producers * each, &finish, &sum).value();
  std::vector<Ref<ProducerApi>> sources;
  for (int64_t i = 0; i < producers; ++i) {
    sources.push_back(system.Spawn<Producer>("producer-" + std::to_string(i), sink).value());
  }
  system.WaitUntilQuiet();

  finish.Expect(1);
  Stopwatch watch;
  for (const auto& source : sources) source.Tell(Burst{each});
  finish.Wait();
  Outcome outcome{.messages = producers * each, .took = watch.Stop()};
  system.Stop();
  outcome.Check("sum received", sum.sum(), SumOf(producers, each));
  return outcome;
}

Outcome FanIn1(const Setup& setup) { return Count(setup, 1); }
Outcome FanIn8(const Setup& setup) { return Count(setup, 8); }

}  // namespace quern::bench
