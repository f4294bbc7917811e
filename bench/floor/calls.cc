// A virtual call, a look at the clock, an atomic that nobody else wants.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "floor.h"

namespace quern::bench {
namespace {

class Handler {
 public:
  virtual ~Handler() = default;
  virtual void Handle(int64_t value) = 0;
};
class Adder : public Handler {
 public:
  explicit Adder(int64_t* sum) : sum_(sum) {}
  void Handle(int64_t value) override { *sum_ += value; }

 private:
  int64_t* sum_;
};

}  // namespace

Outcome VirtualCall(const Setup& setup) {
  int64_t sum = 0;
  const std::unique_ptr<Handler> handler = std::make_unique<Adder>(&sum);
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    Handler* target = handler.get();
    asm volatile("" : "+r"(target) : : "memory");  // hides which class it is
    target->Handle(1);
  }
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("sum", static_cast<double>(sum), static_cast<double>(setup.size));
  return outcome;
}

Outcome ClockRead(const Setup& setup) {
  int64_t last = Nanoseconds();
  int64_t back = 0;
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    const int64_t now = Nanoseconds();
    back += now < last ? 1 : 0;
    last = now;
  }
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("steps back", static_cast<double>(back), 0);
  return outcome;
}

Outcome ClockPauses(const Setup& setup) {
  struct Line {
    int64_t readings = 0;
    int64_t longest = 0;
  };
  std::vector<Line> lines(static_cast<size_t>(setup.workers));
  std::vector<std::thread> threads;
  Stopwatch watch;
  const int64_t end = Nanoseconds() + setup.size * 1'000'000;
  for (Line& line : lines) {
    threads.emplace_back([&line, end] {
      Line mine;
      for (int64_t last = Nanoseconds(); last < end; ++mine.readings) {
        const int64_t now = Nanoseconds();
        mine.longest = std::max(mine.longest, now - last);
        last = now;
      }
      line = mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  Outcome outcome{.messages = 0, .took = watch.Stop()};
  int64_t longest = 0;
  for (const Line& line : lines) {
    outcome.messages += line.readings;
    longest = std::max(longest, line.longest);
  }
  outcome.figures = {{"max_ns", static_cast<double>(longest)}};
  outcome.Check("it has looked", longest > 0, true);
  return outcome;
}

Outcome FetchAdd(const Setup& setup) {
  std::atomic<int64_t> count{0};
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) count.fetch_add(1);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("count", static_cast<double>(count.load()), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace quern::bench
