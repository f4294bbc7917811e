// Supervision: a handler just throws, and what follows is said where the actor is spawned. What the
// system itself has to say about failures goes to standard error.

#include <quern/quern.h>
#include <quern/testing/fake_clock.h>

#include <chrono>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using quern::Directive;

struct Press {};
struct Jam {};
struct CatchFire {};
struct MachineApi : quern::Protocol<int(Press), void(Jam), void(CatchFire)> {};

struct Machine : quern::Actor<MachineApi> {
  int On(const Press&) { return ++pieces_; }
  void On(const Jam&) { throw std::runtime_error("jammed"); }
  void On(const CatchFire&) { throw std::logic_error("on fire"); }
  int pieces_ = 0;  // of this object: a restart makes a new one
};

struct Install {
  std::string name;
  quern::Supervisor supervisor;
};
struct HallApi : quern::Protocol<quern::Ref<MachineApi>(Install)> {};

struct Hall : quern::Actor<HallApi> {
  quern::StatusOr<quern::Ref<MachineApi>> On(const Install& m, quern::Context& context) {
    return context.Spawn<Machine>({.supervisor = m.supervisor}, m.name);
  }
};

struct KeepAnEyeOn {
  quern::Ref<HallApi> hall;
};
struct News {};
struct OfficeApi : quern::Protocol<void(KeepAnEyeOn), std::string(News)> {};

struct Office : quern::Actor<OfficeApi> {
  quern::Status On(const KeepAnEyeOn& m, quern::Context& context) {
    return context.Watch(*this, m.hall);
  }
  void On(const quern::Terminated& m) { news_ += m.path + " has closed"; }
  std::string On(const News&) { return news_.empty() ? "no news" : news_; }
  std::string news_;
};

int main() {
  quern::testing::FakeClock clock;  // so that pauses take no time
  quern::System system({.name = "factory", .clock = &clock});
  auto restarts = system.events().Subscribe<quern::ActorRestarted>().value();
  const auto pass = [&](quern::Duration time) {
    system.WaitUntilQuiet();
    clock.AdvanceBy(time);
    system.WaitUntilQuiet();
  };

  // The hall decides about what its machines cannot: one restart, the next such failure closes it.
  auto hall = system
                  .Spawn<Hall>({.supervisor = quern::Supervisor(Directive::kRestart)
                                                  .Backoff({.min = 1s, .max = 1s})
                                                  .Restarts(1, 1h)},
                               "hall")
                  .value();
  auto office = system.Spawn<Office>("office").value();
  office.Tell(KeepAnEyeOn{hall});

  // Restart, after a pause that doubles. The Ref stays good, and mail waits in its box.
  const auto patient = quern::Supervisor()
                           .On<std::runtime_error>(Directive::kRestart)
                           .On<std::logic_error>(Directive::kEscalate)
                           .Backoff({.min = 1s, .max = 1min});
  auto lathe = hall.Ask(Install{"lathe", patient}).value();
  std::cout << "lathe: piece " << lathe.Ask(Press{}).value() << "\n";
  std::cout << "lathe: piece " << lathe.Ask(Press{}).value() << "\n";
  for (int jam = 0; jam < 3; ++jam) {
    const quern::Time jammed = clock.Now();
    lathe.Tell(Jam{});
    quern::Pending<int> piece = lathe.AskAsync(Press{}, 1min);
    while (!piece.ready()) pass(500ms);
    const auto pause = std::chrono::duration_cast<std::chrono::seconds>(clock.Now() - jammed);
    std::cout << "lathe: jammed, " << pause.count() << " s later piece " << piece.Await().value()
              << "\n";
  }

  // One for all: machines that make no sense without one another begin again together.
  const auto together = quern::Supervisor(Directive::kRestart).For(quern::Strategy::kOneForAll);
  auto left = hall.Ask(Install{"left", together}).value();
  auto right = hall.Ask(Install{"right", together}).value();
  std::cout << "left: piece " << left.Ask(Press{}).value() << "\n";
  right.Tell(Jam{});
  pass(1s);
  std::cout << "left, after right has jammed: piece " << left.Ask(Press{}).value() << "\n";

  // Escalate: the hall fails in the lathe's place, and restarts with every machine in it.
  std::set<std::string> again;
  while (restarts.TryNext()) continue;  // those of before
  lathe.Tell(CatchFire{});
  pass(1s);
  while (auto restarted = restarts.TryNext()) again.insert(restarted->path);
  for (const std::string& path : again) std::cout << "restarted: " << path << "\n";
  std::cout << "office: " << office.Ask(News{}).value() << "\n";

  // The budget is spent. Whoever watches is told, once.
  lathe.Tell(CatchFire{});
  pass(1s);
  std::cout << "office: " << office.Ask(News{}).value() << "\n";
  std::cout << "lathe: " << lathe.Ask(Press{}).status().code() << "\n";
}
