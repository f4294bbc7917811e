// Everything at once for as long as one likes: tells, asks, grains that go and come back, actors
// that are spawned and stopped or passivated, timers that are set and cancelled. Whoever reads its
// lines (suite/soak.py) sees whether memory grows.
//
//   quern_soak [SECONDS [WORKERS]]
//
// A line of JSON a second: what was done so far, and what is resident. Exit codes: 0, 1 something
// was refused that should not have been, 2 wrong usage.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/bench/process.h"
#include "quern/quern.h"

namespace quern::bench {
struct Total {};
struct Add {
  int64_t amount;
};
}  // namespace quern::bench

template <>
struct quern::Codec<quern::bench::Total> {
  static constexpr std::string_view kName = "soak.Total";
  static void Encode(const bench::Total&, std::string*) {}
  static Status Decode(std::string_view, bench::Total*) { return absl::OkStatus(); }
};
template <>
struct quern::Codec<quern::bench::Add> {
  static constexpr std::string_view kName = "soak.Add";
  static void Encode(const bench::Add&, std::string*) {}
  static Status Decode(std::string_view, bench::Add*) { return absl::OkStatus(); }
};

namespace quern::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kDrivers = 4;
constexpr int64_t kTellsARound = 64;
constexpr int64_t kAsksARound = 16;
constexpr int64_t kTimersARound = 8;
constexpr Duration kIdle = milliseconds(500);
// What waits to be passivated goes by the clock, all else as fast as it can: memory then does not
// depend on the machine. 4 drivers have 20,000 idle actors and 1,600 active grains at a time.
constexpr Duration kBatch = milliseconds(10);
constexpr int64_t kIdleABatch = 100;
constexpr int64_t kGrainsABatch = 8;
constexpr int64_t kGrainsADriver = 16'384;

// What has been done, by everybody: relaxed, for a line a second.
struct Done {
  std::atomic<int64_t> tells{0};
  std::atomic<int64_t> asks{0};
  std::atomic<int64_t> grain_asks{0};
  std::atomic<int64_t> spawns{0};
  std::atomic<int64_t> ticks{0};
  std::atomic<int64_t> refused{0};
  std::atomic<int64_t> transient{0};  // there are now
  std::atomic<int64_t> active_grains{0};
  std::atomic<bool> over{false};

  void Check(bool fine) {
    if (!fine) refused.fetch_add(1, std::memory_order_relaxed);
  }
};

struct CounterApi : Protocol<void(Add), int64_t(Total)> {
  static constexpr std::string_view kKind = "counter";
};
struct Counter : Actor<CounterApi> {
  explicit Counter(Done* done) : done_(done) {}
  void On(const Add& m) {
    total_ += m.amount;
    done_->tells.fetch_add(1, std::memory_order_relaxed);
  }
  int64_t On(const Total&) { return total_; }
  Done* done_;
  int64_t total_ = 0;
};
struct CounterGrain : Grain<CounterApi> {
  explicit CounterGrain(Done* done) : done_(done) {
    done_->active_grains.fetch_add(1, std::memory_order_relaxed);
  }
  ~CounterGrain() { done_->active_grains.fetch_sub(1, std::memory_order_relaxed); }
  void On(const Add& m) { total_ += m.amount; }
  int64_t On(const Total&) { return total_; }
  Done* done_;
  int64_t total_ = 0;
};

struct Tick {};
struct TransientApi : Protocol<void(Add), void(Tick)> {};
// Gets one message, arms a timer that does not live to see its time, and stops or is passivated.
struct Transient : Actor<TransientApi> {
  explicit Transient(Done* done) : done_(done) {
    done_->transient.fetch_add(1, std::memory_order_relaxed);
  }
  ~Transient() { done_->transient.fetch_sub(1, std::memory_order_relaxed); }
  void On(const Add& m) {
    After(milliseconds(700), Tick{});
    if (m.amount == kLast) Self().Stop();
    done_->spawns.fetch_add(1, std::memory_order_relaxed);
  }
  void On(const Tick&) { done_->ticks.fetch_add(1, std::memory_order_relaxed); }
  static constexpr int64_t kLast = -1;
  Done* done_;
};

struct Round {
  int64_t number;
};
struct Batch {};
struct DriverApi : Protocol<void(Round), void(Batch), void(Tick)> {};
struct Driver : Actor<DriverApi> {
  Driver(System* system, Done* done, Finish* finish, Ref<CounterApi> counter, int64_t number)
      : system_(system),
        done_(done),
        finish_(finish),
        counter_(std::move(counter)),
        first_key_(number * kGrainsADriver) {}

  void OnStart() { EveryAtFixedRate(kBatch, Batch{}); }
  void On(const Tick&) { done_->ticks.fetch_add(1, std::memory_order_relaxed); }
  void On(const Round& m, Context& context) {
    if (done_->over.load(std::memory_order_relaxed)) return finish_->One();
    Talk();
    AskGrains();
    ComeAndGo("transient-" + std::to_string(m.number), {}, Transient::kLast, context);
    SetTimers();
    Self().Tell(Round{m.number + 1});
  }
  void On(const Batch&, Context& context) {
    if (done_->over.load(std::memory_order_relaxed)) return;
    grains_done_ = (grains_done_ + kGrainsABatch) % kGrainsADriver;
    for (int64_t i = 0; i < kIdleABatch; ++i) {
      ComeAndGo("idle-" + std::to_string(idle_done_++), {.passivate_after = kIdle}, 1, context);
    }
  }

 private:
  // Each round ends with an answer: what is under way is bounded.
  void Talk() {
    for (int64_t i = 0; i < kTellsARound; ++i) counter_.Tell(Add{1});
    for (int64_t i = 0; i < kAsksARound; ++i) {
      done_->Check(counter_.Ask(Total{}, minutes(1)).ok());
    }
    done_->asks.fetch_add(kAsksARound, std::memory_order_relaxed);
  }
  void AskGrains() {
    for (int64_t i = 0; i < kAsksARound; ++i) {
      const int64_t key = first_key_ + (grains_done_ + i) % kGrainsADriver;
      auto grain = system_->Grain<CounterApi>(std::to_string(key));
      grain.Tell(Add{1});
      done_->Check(grain.Ask(Total{}, minutes(1)).ok());
    }
    done_->grain_asks.fetch_add(kAsksARound, std::memory_order_relaxed);
  }
  void ComeAndGo(const std::string& name, const SpawnOptions& options, int64_t amount,
                 Context& context) {
    auto transient = context.Spawn<Transient>(options, name, done_);
    done_->Check(transient.ok());
    if (transient.ok()) transient->Tell(Add{amount});
  }
  void SetTimers() {
    for (int64_t i = 0; i < kTimersARound; ++i) {
      const TimerId timer = After(milliseconds(1 + i), Tick{});
      if (i % 2 == 0) Cancel(timer);
    }
  }

  System* system_;
  Done* done_;
  Finish* finish_;
  Ref<CounterApi> counter_;
  const int64_t first_key_;
  int64_t grains_done_ = 0;
  int64_t idle_done_ = 0;
};

struct ReporterApi : Protocol<void(Tick)> {};
struct Reporter : Actor<ReporterApi> {
  Reporter(Done* done, int64_t seconds_in_all, Finish* finish)
      : done_(done), left_(seconds_in_all), finish_(finish) {}
  void OnStart() { EveryAtFixedRate(seconds(1), Tick{}); }
  void On(const Tick&) {
    if (left_ == 0) return;
    std::printf(
        "{\"second\":%lld,\"rss_bytes\":%lld,\"heap_bytes\":%lld,\"transient\":%lld,"
        "\"active_grains\":%lld,\"tells\":%lld,\"asks\":%lld,\"grain_asks\":%lld,\"spawns\":%lld,"
        "\"ticks\":%lld,\"refused\":%lld}\n",
        Number(++second_), Number(ResidentBytes()), Number(HeapBytes()), Number(done_->transient),
        Number(done_->active_grains), Number(done_->tells), Number(done_->asks),
        Number(done_->grain_asks), Number(done_->spawns), Number(done_->ticks),
        Number(done_->refused));
    std::fflush(stdout);
    if (--left_ > 0) return;
    done_->over.store(true);
    finish_->One();
  }

 private:
  static long long Number(int64_t value) { return value; }

  Done* done_;
  int64_t left_;
  Finish* finish_;
  int64_t second_ = 0;
};

int Soak(int64_t seconds_in_all, int workers) {
  Done done;
  Finish finish;
  SystemOptions options;
  options.name = "soak";
  options.workers = workers;
  System system(std::move(options));
  system.Host<CounterGrain>({.idle_timeout = kIdle}, &done).IgnoreError();
  finish.Expect(kDrivers + 1);
  for (int i = 0; i < kDrivers; ++i) {
    const std::string number = std::to_string(i);
    auto counter = system.Spawn<Counter>("counter-" + number, &done).value();
    auto driver =
        system.Spawn<Driver>("driver-" + number, &system, &done, &finish, counter, i).value();
    driver.Tell(Round{0});
  }
  System outside({.name = "report", .workers = 1});
  outside.Spawn<Reporter>("reporter", &done, seconds_in_all, &finish).value();
  finish.Wait();
  outside.Stop();
  system.Stop();
  return done.refused == 0 ? 0 : 1;
}

}  // namespace
}  // namespace quern::bench

int main(int argc, char** argv) {
  const int64_t seconds = argc > 1 ? std::atoll(argv[1]) : 600;
  const int workers = argc > 2 ? std::atoi(argv[2]) : 2;
  if (argc > 3 || seconds < 1 || workers < 1) {
    std::fputs("usage: quern_soak [SECONDS [WORKERS]]\n", stderr);
    return 2;
  }
  return quern::bench::Soak(seconds, workers);
}
