// Savina's bank transactions: a teller has accounts pay each other; the paying account waits until
// the other one has booked.

#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr uint64_t kAccounts = 1000;

struct Pay;
struct Book {
  int64_t amount;
};
struct AccountApi : Protocol<void(Pay), int64_t(Book)> {};
struct Pay {
  int64_t amount;
  Ref<AccountApi> to;
};
struct Paid {};
struct TellerApi : Protocol<void(Paid)> {};

struct Account : Actor<AccountApi> {
  Account(Ref<TellerApi> teller, Tally* balances) : teller_(std::move(teller)), tally_(balances) {}
  void On(const Pay& m) {
    balance_ -= m.amount;
    if (m.to.Ask(Book{m.amount}).value_or(-1) == m.amount) teller_.Tell(Paid{});
  }
  int64_t On(const Book& m) {
    balance_ += m.amount;
    return m.amount;
  }
  void OnStop() { tally_->Add(balance_); }
  Ref<TellerApi> teller_;
  Tally* tally_;
  int64_t balance_ = 0;
};

// Pays from a lower account to a higher one, so that no two wait for each other.
struct Teller : Actor<TellerApi> {
  Teller(int64_t transactions, Finish* finish, Tally* balances)
      : transactions_(transactions), finish_(finish), tally_(balances) {}
  void OnStart(Context& context) {
    std::vector<Ref<AccountApi>> accounts;
    for (uint64_t i = 0; i < kAccounts; ++i) {
      accounts.push_back(context.Spawn<Account>(std::to_string(i), Self(), tally_).value());
    }
    Xorshift random(3);
    for (int64_t i = 0; i < transactions_; ++i) {
      const uint64_t from = random.Below(kAccounts / 10 * 8);
      const uint64_t to = from + 1 + random.Below(kAccounts - from - 1);
      accounts[from].Tell(Pay{static_cast<int64_t>(random.Below(1000)), accounts[to]});
    }
  }
  void On(const Paid&) {
    if (++paid_ == transactions_) finish_->One();
  }
  const int64_t transactions_;
  Finish* finish_;
  Tally* tally_;
  int64_t paid_ = 0;
};

}  // namespace

Outcome Bank(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally balances;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Teller>("teller", setup.size, &finish, &balances).value();
  finish.Wait();
  Outcome outcome{.messages = 4 * setup.size, .took = watch.Stop()};
  system.Stop();
  outcome.Check("sum of balances", balances.sum(), 0);
  return outcome;
}

}  // namespace quern::bench
