// Savina's filter bank: a signal goes through eight channels, each of a delay, a filter, a sampler,
// a delay and a filter, and is put together again.

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kChannels = 8;
constexpr size_t kDelay = 16;  // samples; Savina's 8,192 columns make the filters alone the work
constexpr size_t kTaps = 32;
constexpr int64_t kSampleRate = 4;

struct Sample {
  double value;
};
struct StageApi : Protocol<void(Sample)> {};
struct Channelled {
  size_t channel;
  double value;
};
struct CombineApi : Protocol<void(Channelled)> {};

// The same stages as plain objects give the expected result.
struct Delay {
  explicit Delay(size_t) {}
  double Next(double value) {
    const double out = kept[at];
    kept[at] = value;
    at = (at + 1) % kDelay;
    return out;
  }
  std::array<double, kDelay> kept{};
  size_t at = 0;
};
struct Fir {
  explicit Fir(size_t channel) {
    for (size_t i = 0; i < kTaps; ++i) {
      taps[i] = std::cos(static_cast<double>(i * (channel + 1))) / kTaps;
    }
  }
  double Next(double value) {
    kept[at] = value;
    double sum = 0;
    for (size_t i = 0; i < kTaps; ++i) sum += taps[i] * kept[(at + kTaps - i) % kTaps];
    at = (at + 1) % kTaps;
    return sum;
  }
  std::array<double, kTaps> taps{};
  std::array<double, kTaps> kept{};
  size_t at = 0;
};
struct Sampler {
  explicit Sampler(size_t) {}
  double Next(double value) { return count++ % kSampleRate == 0 ? value : 0; }
  int64_t count = 0;
};

template <typename Part>
struct Stage : Actor<StageApi> {
  Stage(size_t channel, Ref<StageApi> next) : part_(channel), next_(std::move(next)) {}
  void On(const Sample& m) { next_.Tell(Sample{part_.Next(m.value)}); }
  Part part_;
  Ref<StageApi> next_;
};

struct Last : Actor<StageApi> {
  Last(size_t channel, Ref<CombineApi> combine) : channel_(channel), combine_(std::move(combine)) {}
  void On(const Sample& m) { combine_.Tell(Channelled{channel_, m.value}); }
  const size_t channel_;
  Ref<CombineApi> combine_;
};

// Adds up what the channels bring, sample by sample.
struct Combine : Actor<CombineApi> {
  Combine(int64_t samples, double* result, Finish* finish)
      : left_(samples * int64_t{kChannels}), result_(result), finish_(finish) {}
  void On(const Channelled& m) {
    sums_[m.channel] += m.value;
    if (--left_ > 0) return;
    for (const double sum : sums_) *result_ += sum;
    finish_->One();
  }
  int64_t left_;
  double* result_;
  Finish* finish_;
  std::array<double, kChannels> sums_{};
};

double Signal(int64_t i) { return std::sin(static_cast<double>(i % 1000)); }

double Expected(int64_t samples) {
  double result = 0;
  for (size_t channel = 0; channel < kChannels; ++channel) {
    Delay first(channel), second(channel);
    Fir analysis(channel), synthesis(channel + 1);
    Sampler sampler(channel);
    double sum = 0;
    for (int64_t i = 0; i < samples; ++i) {
      sum += synthesis.Next(second.Next(sampler.Next(analysis.Next(first.Next(Signal(i))))));
    }
    result += sum;
  }
  return result;
}

}  // namespace

Outcome FilterBank(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  double result = 0;
  auto combine = system.Spawn<Combine>("combine", setup.size, &result, &finish).value();
  std::vector<Ref<StageApi>> channels;
  for (size_t i = 0; i < kChannels; ++i) {
    const std::string name = std::to_string(i);
    Ref<StageApi> next = system.Spawn<Last>(name + "-last", i, combine).value();
    next = system.Spawn<Stage<Fir>>(name + "-synthesis", i + 1, next).value();
    next = system.Spawn<Stage<Delay>>(name + "-second", i, next).value();
    next = system.Spawn<Stage<Sampler>>(name + "-sampler", i, next).value();
    next = system.Spawn<Stage<Fir>>(name + "-analysis", i, next).value();
    channels.push_back(system.Spawn<Stage<Delay>>(name + "-first", i, next).value());
  }
  finish.Expect(1);
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    for (const auto& channel : channels) channel.Tell(Sample{Signal(i)});
  }
  finish.Wait();
  Outcome outcome{.messages = 7 * int64_t{kChannels} * setup.size, .took = watch.Stop()};
  outcome.Check("sum of the signal", result, Expected(setup.size));
  return outcome;
}

}  // namespace quern::bench
