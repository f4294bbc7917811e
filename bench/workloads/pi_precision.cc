// Savina's pi precision: twenty workers compute terms of the formula of Bailey, Borwein and Plouffe
// (Math. Comp. 66, 1997) to thousands of decimals; one adds them up.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kWorkers = 20;

// A fraction in words of 32 bits, the whole part first.
using Fixed = std::vector<uint32_t>;

// value / divisor, shifted down by `words` whole words.
void AddQuotient(Fixed& sum, uint64_t value, uint64_t divisor, size_t words, bool subtract) {
  uint64_t rest = value;
  Fixed quotient(sum.size(), 0);
  for (size_t i = words; i < sum.size(); ++i) {
    quotient[i] = static_cast<uint32_t>(rest / divisor);
    rest = (rest % divisor) << 32;
  }
  int64_t carry = 0;
  for (size_t i = sum.size(); i-- > 0;) {
    const int64_t part = subtract ? -int64_t{quotient[i]} : int64_t{quotient[i]};
    const int64_t digit = int64_t{sum[i]} + part + carry;
    sum[i] = static_cast<uint32_t>(digit);
    carry = digit >> 32;
  }
}

// Term k is divided by 16^k: by whole words, and by what is left of 2^(4k), less than a word.
Fixed TermOf(uint64_t k, size_t words) {
  const uint64_t left = 4 * k % 32;
  const uint64_t scale = left == 0 ? 1 : uint64_t{1} << (32 - left);  // and a word more
  const size_t shift = static_cast<size_t>(4 * k / 32) + (left == 0 ? 0 : 1);
  Fixed term(words, 0);
  AddQuotient(term, 4 * scale, 8 * k + 1, shift, false);
  AddQuotient(term, 2 * scale, 8 * k + 4, shift, true);
  AddQuotient(term, 1 * scale, 8 * k + 5, shift, true);
  AddQuotient(term, 1 * scale, 8 * k + 6, shift, true);
  return term;
}

void Add(Fixed& sum, const Fixed& term) {
  uint64_t carry = 0;
  for (size_t i = sum.size(); i-- > 0;) {
    const uint64_t digit = uint64_t{sum[i]} + term[i] + carry;
    sum[i] = static_cast<uint32_t>(digit);
    carry = digit >> 32;
  }
}

struct Work;
struct WorkerApi : Protocol<void(Work)> {};
struct Term {
  std::unique_ptr<Fixed> value;
  Ref<WorkerApi> from;
};
struct MasterApi : Protocol<void(Term)> {};
struct Work {
  uint64_t k;
  size_t words;
  Ref<MasterApi> to;
};

struct Worker : Actor<WorkerApi> {
  void On(const Work& m) { m.to.Tell(Term{std::make_unique<Fixed>(TermOf(m.k, m.words)), Self()}); }
};

// Gives every worker the next term when it has brought one.
struct Master : Actor<MasterApi> {
  Master(uint64_t terms, Fixed* sum, Finish* finish) : terms_(terms), sum_(sum), finish_(finish) {}
  void OnStart(Context& context) {
    for (int i = 0; i < kWorkers; ++i) {
      Assign(context.Spawn<Worker>(std::to_string(i)).value());
    }
  }
  void On(Term&& m) {
    Add(*sum_, *m.value);
    if (++received_ == terms_) return finish_->One();
    Assign(m.from);
  }
  void Assign(const Ref<WorkerApi>& worker) {
    if (next_ < terms_) worker.Tell(Work{next_++, sum_->size(), Self()});
  }
  const uint64_t terms_;
  Fixed* sum_;
  Finish* finish_;
  uint64_t next_ = 0;
  uint64_t received_ = 0;
};

}  // namespace

Outcome PiPrecision(const Setup& setup) {
  const auto words = static_cast<size_t>(static_cast<double>(setup.size) * 3.3219281 / 32) + 3;
  const uint64_t terms = 8 * (words - 1);  // 16^terms is below the last word
  Fixed sum(words, 0);
  System system(OptionsFor(setup));
  Finish finish;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Master>("master", terms, &sum, &finish).value();
  finish.Wait();
  Outcome outcome{.messages = static_cast<int64_t>(2 * terms), .took = watch.Stop()};
  Fixed expected(words, 0);
  for (uint64_t k = 0; k < terms; ++k) Add(expected, TermOf(k, words));
  const bool pi = sum[0] == 3 && sum[1] == 0x243F6A88;  // 3.14159265
  outcome.Check("pi, as one thread computes it", pi && sum == expected, true);
  return outcome;
}

}  // namespace quern::bench
