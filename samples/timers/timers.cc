// Timers: messages that an actor tells itself. Time is a parameter, so that an hour takes no time.

#include <quern/quern.h>
#include <quern/testing/fake_clock.h>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

struct Poll {};
struct Report {};
struct TimeOut {};
struct Quiet {};
struct Summary {};

struct SensorApi
    : quern::Protocol<void(Poll), void(Report), void(TimeOut), void(Quiet), std::string(Summary)> {
};

struct Sensor : quern::Actor<SensorApi> {
  // By the calendar of a place; a mistake in it is an error here, not a surprise at night.
  quern::Status OnStart() { return Cron("0 30 8 * * MON-FRI", "Europe/Berlin", Report{}).status(); }

  void On(const Poll&) { ++polls_; }
  void On(const Report&) { ++reports_; }
  void On(const TimeOut&) { timed_out_ = true; }
  void On(const Quiet&) {
    PauseTimer(poll_);
    Cancel(time_out_);
  }
  std::string On(const Summary&) {
    return std::to_string(polls_) + " polls, " + std::to_string(reports_) + " reports, " +
           std::to_string(ListTimers().size()) + " timers" + (timed_out_ ? ", timed out" : "");
  }

  // Timers may start in member initialisers; they end with the actor.
  quern::TimerId poll_ = EveryAtFixedRate(10min, Poll{});
  quern::TimerId time_out_ = After(36h, TimeOut{});
  int polls_ = 0;
  int reports_ = 0;
  bool timed_out_ = false;
};

int main() {
  quern::testing::FakeClock clock;  // leave it out, and it is the real one
  clock.SetWallTime(quern::WallTime(std::chrono::sys_days{2026y / 3 / 26} + 12h));  // a Thursday
  quern::System system({.name = "sensors", .clock = &clock});
  auto sensor = system.Spawn<Sensor>("sensor").value();
  const auto pass = [&](quern::Duration time) {
    system.WaitUntilQuiet();
    clock.AdvanceBy(time);
    system.WaitUntilQuiet();
  };

  std::cout << "at first:       " << sensor.Ask(Summary{}).value() << "\n";
  pass(1h);
  std::cout << "after an hour:  " << sensor.Ask(Summary{}).value() << "\n";
  for (int hour = 1; hour < 24; ++hour) pass(1h);
  std::cout << "after a day:    " << sensor.Ask(Summary{}).value() << "\n";
  sensor.Tell(Quiet{});
  for (int day = 0; day < 6; ++day) pass(24h);
  std::cout << "after a week:   " << sensor.Ask(Summary{}).value() << "\n";
}
