// Savina's sieve of Eratosthenes: a chain of actors, a thousand primes each, through which all
// numbers go.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kPrimesEach = 1000;

struct Candidate {
  int64_t number;
};
struct End {};
struct FilterApi : Protocol<void(Candidate), void(End)> {};

struct Filter : Actor<FilterApi> {
  Filter(int64_t first, Finish* finish, Tally* primes) : finish_(finish), tally_(primes) {
    primes_.push_back(first);
  }
  void On(const Candidate& m, Context& context) {
    for (const int64_t prime : primes_) {
      if (m.number % prime == 0) return;
    }
    if (primes_.size() < kPrimesEach) {
      primes_.push_back(m.number);
    } else if (next_) {
      next_.Tell(m);
    } else {
      next_ = context.Spawn<Filter>("next", m.number, finish_, tally_).value();
    }
  }
  void On(const End&) {
    tally_->Add(static_cast<int64_t>(primes_.size()));
    if (next_) {
      next_.Tell(End{});
    } else {
      finish_->One();
    }
  }
  std::vector<int64_t> primes_;
  Finish* finish_;
  Tally* tally_;
  Ref<FilterApi> next_;
};

int64_t PrimesUpTo(int64_t bound) {
  std::vector<bool> composite(static_cast<size_t>(bound) + 1);
  int64_t count = 0;
  for (int64_t i = 2; i <= bound; ++i) {
    if (composite[static_cast<size_t>(i)]) continue;
    ++count;
    for (int64_t j = i * i; j <= bound; j += i) composite[static_cast<size_t>(j)] = true;
  }
  return count;
}

}  // namespace

Outcome Sieve(const Setup& setup) {
  const int64_t bound = std::max<int64_t>(setup.size, 3);
  System system(OptionsFor(setup));
  Finish finish;
  Tally primes;
  auto first = system.Spawn<Filter>("first", int64_t{2}, &finish, &primes).value();
  finish.Expect(1);
  Stopwatch watch;
  int64_t sent = 0;
  for (int64_t number = 3; number <= bound; number += 2, ++sent) first.Tell(Candidate{number});
  first.Tell(End{});
  finish.Wait();
  Outcome outcome{.messages = sent, .took = watch.Stop()};
  outcome.Check("primes", primes.sum(), static_cast<double>(PrimesUpTo(bound)));
  return outcome;
}

}  // namespace quern::bench
