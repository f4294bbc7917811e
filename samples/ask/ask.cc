// Asking: the answer in place, errors as values, deadlines, and a way in from other code.

#include <quern/quern.h>
#include <quern/runtime/future.h>

#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <string>

using namespace std::chrono_literals;

struct Deposit {
  std::string account;
  int64_t cents;
};
struct Withdraw {
  std::string account;
  int64_t cents;
};
struct Transfer {
  std::string from;
  std::string to;
  int64_t cents;
};

// What callers include. An int64_t answer is the new balance.
struct BankApi : quern::Protocol<int64_t(Deposit), int64_t(Withdraw)> {};
struct TellerApi : quern::Protocol<void(Transfer)> {};

struct Bank : quern::Actor<BankApi> {
  int64_t On(const Deposit& m) { return balances_[m.account] += m.cents; }

  // StatusOr: the handler may refuse, and the asker is told why.
  quern::StatusOr<int64_t> On(const Withdraw& m) {
    int64_t& balance = balances_[m.account];
    if (balance < m.cents) {
      return absl::FailedPreconditionError(m.account + " has only " + std::to_string(balance));
    }
    return balance -= m.cents;
  }

  std::map<std::string, int64_t> balances_;
};

// Asks in a handler: straight-line code, and the worker goes on with others meanwhile.
struct Teller : quern::Actor<TellerApi> {
  explicit Teller(quern::Ref<BankApi> bank) : bank_(std::move(bank)) {}

  quern::Status On(const Transfer& m) {
    quern::StatusOr<int64_t> taken = bank_.Ask(Withdraw{m.from, m.cents}, 500ms);
    if (!taken.ok()) return taken.status();
    return bank_.Ask(Deposit{m.to, m.cents}, 500ms).status();
  }

  quern::Ref<BankApi> bank_;
};

int main() {
  quern::System system("bank");
  auto bank = system.Spawn<Bank>("bank").value();
  auto teller = system.Spawn<Teller>("teller", bank).value();

  std::cout << "ada has " << bank.Ask(Deposit{"ada", 100}).value() << "\n";
  std::cout << "transfer 70: " << teller.Ask(Transfer{"ada", "bob", 70}) << "\n";
  std::cout << "transfer 70: " << teller.Ask(Transfer{"ada", "bob", 70}) << "\n";

  // From code that has its own threads: a future, or a function that is called.
  std::future<quern::StatusOr<int64_t>> bob = quern::AskFuture(bank, Deposit{"bob", 1}, 1s);
  std::cout << "bob has " << bob.get().value() << "\n";
  std::promise<std::string> said;
  quern::AskThen(bank, Withdraw{"ada", 30}, 1s, [&said](quern::StatusOr<int64_t> left) {
    said.set_value(left.ok() ? std::to_string(*left) : left.status().ToString());
  });
  std::cout << "ada has " << said.get_future().get() << "\n";

  bank.Stop();
  // Surely not run, or unknown: the code says which.
  std::cout << "after the end: " << bank.Ask(Deposit{"ada", 1}).status().code() << "\n";
}
