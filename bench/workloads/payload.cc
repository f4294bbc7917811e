// One actor tells another messages of 0 to 64 KiB. Up to 4 KiB they travel inside the envelope,
// larger ones in a box.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

template <size_t kBytes>
struct Inline {
  explicit Inline(uint8_t value) { bytes.fill(value); }
  uint8_t last() const { return bytes.back(); }
  std::array<uint8_t, kBytes> bytes;
};
struct Empty {
  explicit Empty(uint8_t) {}
  uint8_t last() const { return 1; }
};
template <size_t kBytes>
struct Boxed {
  explicit Boxed(uint8_t value) : box(std::make_unique<Inline<kBytes>>(value)) {}
  uint8_t last() const { return box->last(); }
  std::unique_ptr<Inline<kBytes>> box;
};

template <typename Payload>
struct SinkApi : Protocol<void(Payload)> {};

// The producer waits for the sink every so many messages, so that memory is not what is measured.
constexpr int64_t kWindow = 1000;

struct Go {};
struct ProducerApi : Protocol<void(Go)> {};

template <typename Payload>
struct Sink : Actor<SinkApi<Payload>> {
  explicit Sink(Tally* sum) : tally_(sum) {}
  void On(const Payload& m) {
    sum_ += m.last();
    if (++handled_ % kWindow == 0) producer_.Tell(Go{});
  }
  void OnStop() { tally_->Add(sum_); }
  Tally* tally_;
  Ref<ProducerApi> producer_;
  int64_t handled_ = 0;
  int64_t sum_ = 0;
};

template <typename Payload>
struct Producer : Actor<ProducerApi> {
  Producer(int64_t windows, Finish* finish, Tally* sum)
      : left_(windows), finish_(finish), tally_(sum) {}
  void On(const Go&, Context& context);
  int64_t left_;
  Finish* finish_;
  Tally* tally_;
  Ref<SinkApi<Payload>> sink_;
};

// Made by the producer, which it answers.
template <typename Payload>
struct Answering : Sink<Payload> {
  Answering(Ref<ProducerApi> producer, Tally* sum) : Sink<Payload>(sum) {
    this->producer_ = std::move(producer);
  }
};

template <typename Payload>
void Producer<Payload>::On(const Go&, Context& context) {
  if (!sink_) {
    const Ref<ProducerApi> self = this->Self();
    sink_ = context.template Spawn<Answering<Payload>>("sink", self, tally_).value();
  }
  if (left_-- == 0) return finish_->One();
  for (int64_t i = 0; i < kWindow; ++i) sink_.Tell(Payload(1));
}

template <typename Payload>
Outcome Send(const Setup& setup) {
  const int64_t windows = std::max<int64_t>(1, setup.size / kWindow);
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  auto producer = system.Spawn<Producer<Payload>>("producer", windows, &finish, &sum).value();
  finish.Expect(1);
  Stopwatch watch;
  producer.Tell(Go{});
  finish.Wait();
  Outcome outcome{.messages = windows * kWindow, .took = watch.Stop()};
  system.Stop();
  outcome.Check("sum received", sum.sum(), static_cast<double>(outcome.messages));
  return outcome;
}

}  // namespace

Outcome Payload0(const Setup& setup) { return Send<Empty>(setup); }
Outcome Payload64(const Setup& setup) { return Send<Inline<64>>(setup); }
Outcome Payload1K(const Setup& setup) { return Send<Inline<1024>>(setup); }
Outcome Payload4K(const Setup& setup) { return Send<Inline<4096>>(setup); }
Outcome Payload64K(const Setup& setup) { return Send<Boxed<65536>>(setup); }

}  // namespace quern::bench
