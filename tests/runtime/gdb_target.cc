// What gdb_test.cc looks at with runtime/gdb/quern_gdb.py: two systems, handlers that wait for one
// another, mailboxes of two kinds, a suspended actor, a grain.

#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "grain_test_kit.h"
#include "quern/quern.h"
#include "quern/runtime/mailbox.h"
#include "quern/testing/fake_clock.h"

namespace quern {
namespace {

using namespace std::chrono_literals;

struct Reserve {};
struct AddItem {};
struct StockApi : Protocol<int(Reserve)> {};
struct CartApi : Protocol<void(AddItem)> {};

struct Stock : Actor<StockApi> {
  int On(const Reserve&, Context& context) { return context.Sleep(1h).ok() ? 1 : 0; }
};
struct Cart : Actor<CartApi> {
  void On(const AddItem&, Context& context) {
    auto stock = context.Spawn<Stock>("stock").value();
    stock.Ask(Reserve{}, 1h).IgnoreError();
  }
};

void Main() {
  // Whoever traces it need not be its parent.
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  testing::FakeClock clock;
  testing::Scene scene;
  testing::Scene::current = &scene;
  System shop(SystemOptions{.name = "shop", .workers = 2, .clock = &clock});
  System bank(SystemOptions{.name = "bank", .workers = 1, .clock = &clock});
  auto cart = shop.Spawn<Cart>("cart").value();
  auto bounded = shop.Spawn<Cart>({.mailbox = BoundedMailbox(10)}, "bounded").value();
  auto idle = bank.Spawn<Stock>("idle").value();
  auto suspended = bank.Spawn<Stock>("suspended").value();
  if (!suspended.Suspend().ok() || !bank.Host<testing::Tally>().ok()) std::abort();
  scene.stage.Lock();

  for (int i = 0; i < 4; ++i) cart.Tell(AddItem{});
  for (int i = 0; i < 3; ++i) bounded.Tell(AddItem{});
  bank.WaitUntilQuiet();
  suspended.Tell(Reserve{});
  bank.Grain<testing::TallyApi>("ledger").Tell(testing::Wait{});
  shop.WaitUntilQuiet();
  bank.WaitUntilQuiet();
  clock.AdvanceBy(812ms);
  shop.WaitUntilQuiet();
  bank.WaitUntilQuiet();

  constexpr char kReady[] = "ready\n";
  if (::write(STDOUT_FILENO, kReady, sizeof(kReady) - 1) < 0) std::abort();
  for (;;) ::pause();
}

}  // namespace
}  // namespace quern

int main() { quern::Main(); }
