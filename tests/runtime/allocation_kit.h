// What the tests of allocation have in common: actors that tell and ask for so long, and a count of
// the calls of malloc once they have warmed up.

#ifndef QUERN_TESTS_RUNTIME_ALLOCATION_KIT_H_
#define QUERN_TESTS_RUNTIME_ALLOCATION_KIT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "allocation_count.h"
#include "mailbox/thread_blocks.h"
#include "posix_semaphore.h"
#include "quern/quern.h"
#include "scheduler/scheduler.h"
#include "scheduler/watchdog.h"
#include "system/system_core.h"

namespace quern {

struct Probe {
  int64_t value;
};
template <>
struct Codec<Probe> {
  static constexpr std::string_view kName = "allocation.Probe";
  static void Encode(const Probe&, std::string*) {}
  static Status Decode(std::string_view, Probe*) { return absl::OkStatus(); }
};

inline constexpr int64_t kWarmUp = 20'000;
inline constexpr int64_t kCounted = 50'000;
inline constexpr int64_t kAll = kWarmUp + kCounted;

// Begins to count after the warm-up, and ends with the last.
class Span {
 public:
  void Note(int64_t done) {
    if (done == kWarmUp) AllocationCount::Begin();
    if (done == kAll) {
      calls_ = AllocationCount::End();
      done_.release();
    }
  }
  void Wait() { done_.acquire(); }
  int64_t calls() const { return calls_; }

 private:
  int64_t calls_ = -1;
  PosixSemaphore done_{0};
};

inline void ExpectNone(const Span& span) {
  EXPECT_EQ(span.calls(), 0) << "calls of malloc; the first of them came from:";
  if (span.calls() != 0) AllocationCount::PrintFirst();
}

struct Meet;
struct PlayerApi : Protocol<void(Meet), void(Probe)> {};
struct Meet {
  Ref<PlayerApi> peer;
};
// Throws the ball back until it has gone to and fro often enough.
struct Player : Actor<PlayerApi> {
  explicit Player(Span* span) : span_(span) {}
  void On(const Meet& m) { peer_ = m.peer; }
  void On(const Probe& m) {
    if (span_ != nullptr) span_->Note(m.value);
    if (m.value < 2 * kAll) peer_.Tell(Probe{m.value + 1});
  }
  Span* span_;
  Ref<PlayerApi> peer_;
};

struct EchoApi : Protocol<int64_t(Probe)> {
  static constexpr std::string_view kKind = "echo";
};
struct Echo : Actor<EchoApi> {
  int64_t On(const Probe& m) { return m.value; }
};
struct EchoGrain : Grain<EchoApi> {
  int64_t On(const Probe& m) { return m.value; }
};

inline void AskOften(const Ref<EchoApi>& echo, Span* span) {
  int64_t sum = 0;
  for (int64_t i = 1; i <= kAll; ++i) {
    sum += echo.Ask(Probe{1}).value_or(0);
    span->Note(i);
  }
  EXPECT_EQ(sum, kAll);
}

struct Begin {};
struct AskerApi : Protocol<void(Begin)> {};
struct Asker : Actor<AskerApi> {
  Asker(Ref<EchoApi> echo, Span* span) : echo_(std::move(echo)), span_(span) {}
  void On(const Begin&) { AskOften(echo_, span_); }
  Ref<EchoApi> echo_;
  Span* span_;
};

struct TellerApi : Protocol<void(Begin)> {};
struct SinkApi : Protocol<void(Probe)> {
  static constexpr std::string_view kKind = "sink";
};

// Counts, and asks for more after every round: what is under way is bounded.
inline constexpr int64_t kRound = 50;
struct Sinking {
  void Count() {
    span->Note(++handled);
    if (handled % kRound == 0 && handled < kAll) teller->Tell(Begin{});
  }
  Span* span;
  const Ref<TellerApi>* teller;
  int64_t handled = 0;
};
struct Sink : Actor<SinkApi> {
  explicit Sink(Sinking* sinking) : sinking_(sinking) {}
  void On(const Probe&) { sinking_->Count(); }
  Sinking* sinking_;
};
struct SinkGrain : Grain<SinkApi> {
  explicit SinkGrain(Sinking* sinking) : sinking_(sinking) {}
  void On(const Probe&) { sinking_->Count(); }
  Sinking* sinking_;
};
struct Teller : Actor<TellerApi> {
  explicit Teller(Ref<SinkApi> sink) : sink_(std::move(sink)) {}
  void On(const Begin&) {
    for (int64_t i = 0; i < kRound; ++i) sink_.Tell(Probe{i});
  }
  Ref<SinkApi> sink_;
};

struct Hold {};
template <size_t kBytes>
struct Sized {
  char bytes[kBytes];
};
struct HeldApi : Protocol<void(Hold), void(Probe), void(Sized<64>), void(Sized<192>)> {};
// Holds its worker until it may go on.
struct Held : Actor<HeldApi> {
  explicit Held(PosixSemaphore* go) : go_(go) {}
  void On(const Hold&) { go_->acquire(); }
  void On(const Probe&) {}
  void On(const Sized<64>&) {}
  void On(const Sized<192>&) {}
  PosixSemaphore* go_;
};

// More blocks of the usual sizes than will be under way ever after.
inline void FillPools(System& system) {
  PosixSemaphore go(0);
  auto held = system.Spawn<Held>("fills the pools", &go).value();
  held.Tell(Hold{});
  for (size_t i = 0; i < 8 * kMagazineEnvelopes; ++i) {
    held.Tell(Probe{});
    held.Tell(Sized<64>{});
    held.Tell(Sized<192>{});
  }
  go.release();
  system.WaitUntilQuiet();
}

class AllocationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const internal::Watchdog& watchdog = *system_.core()->scheduler().watchdog();
    while (watchdog.looks() == 0) std::this_thread::yield();  // the last of its threads
    FillPools(system_);
    // This thread has blocks of its own from now on: the first ones note its end, which takes
    // malloc.
    internal::ThreadBlocks::Refill(system_.core()->scheduler().depot());
  }

  Span span_;  // outlives the system
  Ref<TellerApi> teller_;
  Sinking sinking_{&span_, &teller_};
  // One worker: with two, one of them may meet a class of actors for the first time, and begin to
  // count for it, whenever work moves there.
  System system_{{.name = "allocation", .workers = 1}};
};

}  // namespace quern

#endif  // QUERN_TESTS_RUNTIME_ALLOCATION_KIT_H_
