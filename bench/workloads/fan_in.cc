// Savina's counting: producers send as fast as they can, one actor counts. Nothing holds them back.

#include <cstdint>
#include <string>
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
      : left_(expected), finish_(finish), sum_of_all_(sum) {}

  void On(const Drop& m) {
    sum_ += m.value;
    if (--left_ == 0) finish_->One();
  }
  void OnStop() { sum_of_all_->Add(sum_); }

  int64_t left_;
  Finish* finish_;
  Tally* sum_of_all_;
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

Outcome Count(const Setup& setup, int64_t producers) {
  const int64_t each = std::max<int64_t>(1, setup.size / producers);
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto sink = system.Spawn<Sink>("sink", producers * each, &finish, &sum).value();
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
  outcome.Check("sum received", sum.sum(), static_cast<double>(producers * each * (each + 1) / 2));
  return outcome;
}

}  // namespace

Outcome FanIn1(const Setup& setup) { return Count(setup, 1); }
Outcome FanIn8(const Setup& setup) { return Count(setup, 8); }

}  // namespace quern::bench
