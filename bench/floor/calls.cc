// A virtual call, a look at the clock, an atomic that nobody else wants.

#include <atomic>
#include <cstdint>
#include <memory>

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

Outcome FetchAdd(const Setup& setup) {
  std::atomic<int64_t> count{0};
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) count.fetch_add(1);
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("count", static_cast<double>(count.load()), static_cast<double>(setup.size));
  return outcome;
}

}  // namespace quern::bench
