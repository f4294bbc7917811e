// What random programs on the step system have in common: a seed that decides what they do, what is
// counted and remembered, and the first violation of what must hold whatever they do.

#ifndef QUERN_TESTS_RUNTIME_PROPERTY_WORLD_H_
#define QUERN_TESTS_RUNTIME_PROPERTY_WORLD_H_

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <gtest/gtest.h>

#include "quern/runtime/logger.h"
#include "quern/runtime/random.h"
#include "scheduler/step_driver.h"
#include "test_size.h"

namespace quern::testing {

// Of each kind. A sanitizer spends most of a program on mapping its stacks.
constexpr uint64_t kPrograms = Rounds(1000, 150);

class Silence : public Logger {
 public:
  bool IsOn(LogLevel) const override { return false; }
  void Log(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

struct Timer {
  int rung = 0;
  bool may_be_dropped = false;  // by a mailbox with a bound
  bool owner_gone = false;
};

struct World {
  explicit World(uint64_t seed) : random(SeededRandom(seed)->Fork("program")) {}

  void Violate(const std::string& what) {
    if (violation.empty()) violation = what;
    if (!die) return;
    std::cerr << what << std::endl;
    _exit(3);
  }
  uint64_t Below(uint64_t bound) { return random->Below(bound); }

  // Of one sender and one receiver, messages are handled in the order in which they were sent, in
  // each lane.
  int NextNumber(uint64_t sender, uint64_t receiver) { return ++sent_numbers[{sender, receiver}]; }
  void NoteNumber(uint64_t sender, uint64_t receiver, int lane, int number) {
    int& seen = seen_numbers[{sender, receiver, lane}];
    if (number <= seen) Violate("out of order");
    seen = number;
  }

  int AddTimer(bool may_be_dropped) {
    timers.push_back({.may_be_dropped = may_be_dropped});
    return static_cast<int>(timers.size()) - 1;
  }
  Timer& TimerAt(int index) { return timers[static_cast<size_t>(index)]; }

  // Once nothing can move any more.
  void CheckAtRest(uint64_t dead_letters) {
    const int queued = sent - handled - dropped;
    if (queued != 0) Violate("messages wait, and nothing moves: " + std::to_string(queued));
    if (asks_open != 0) Violate("an ask waits, and nothing moves");
    if (dead_letters < static_cast<uint64_t>(dropped_tells)) {
      Violate("a dropped tell is no dead letter");
    }
    for (const Timer& timer : timers) {
      if (timer.rung == 0 && !timer.owner_gone && !timer.may_be_dropped) {
        Violate("a timer never rang");
      }
    }
  }
  void CheckAfterStop() {
    if (violation.empty() && sent != handled + dropped) Violate("a message was lost at the stop");
  }

  const std::unique_ptr<Random> random;
  std::string violation;
  bool die = false;  // at the first violation
  std::deque<Timer> timers;
  std::map<std::pair<uint64_t, uint64_t>, int> sent_numbers;  // by sender and receiver
  std::map<std::tuple<uint64_t, uint64_t, int>, int> seen_numbers;
  struct Occupied {
    int running = 0;
    int waiting = 0;  // handlers that let others run meanwhile
  };
  std::map<uint64_t, Occupied> inside;
  uint64_t incarnations = 0;
  int budget = 120;  // actions of the whole program
  int sent = 0, handled = 0, dropped = 0, dropped_tells = 0, asks_open = 0;
};

// Travels with a message and knows, when it dies, whether somebody handled it.
class Token {
 public:
  Token() = default;
  Token(World* world, bool ask) : world_(world), ask_(ask) { ++world_->sent; }
  Token(Token&& other) noexcept
      : world_(std::exchange(other.world_, nullptr)), ask_(other.ask_), handled_(other.handled_) {}
  Token& operator=(Token&&) = delete;
  ~Token() {
    if (world_ == nullptr || handled_) return;
    ++world_->dropped;
    if (!ask_) ++world_->dropped_tells;
  }
  void Handle() {
    handled_ = true;
    ++world_->handled;
  }

 private:
  World* world_ = nullptr;
  bool ask_ = false;
  bool handled_ = false;
};

// Somebody runs inside the thing for as long as this lives, and nobody else does.
class Inside {
 public:
  enum Part { kHandler, kHook };

  Inside(World* world, uint64_t thing, const char* where, Part part = kHook)
      : world_(world), thing_(thing), where_(where) {
    Enter();
    if (part == kHook && Place().waiting != 0) {
      world_->Violate(std::string("a handler waits beside ") + where);
    }
  }
  Inside(const Inside&) = delete;
  ~Inside() { --Place().running; }

 private:
  friend class Apart;

  World::Occupied& Place() { return world_->inside[thing_]; }
  void Enter() {
    if (Place().running++ != 0) world_->Violate(std::string("not alone in ") + where_);
  }

  World* const world_;
  const uint64_t thing_;
  const char* const where_;
};

// A handler lets others run for as long as this lives, if it may.
class Apart {
 public:
  // Null: it does not.
  explicit Apart(Inside* inside) : inside_(inside) {
    if (inside_ == nullptr) return;
    --inside_->Place().running;
    ++inside_->Place().waiting;
  }
  Apart(const Apart&) = delete;
  ~Apart() {
    if (inside_ == nullptr) return;
    --inside_->Place().waiting;
    inside_->Enter();
  }

 private:
  Inside* const inside_;
};

// The planted bug is found by the first hundred programs: `run` runs that of a seed and dies at the
// first violation. Each in a process of its own: after some of the bugs nothing can be relied on.
template <typename Run>
void ExpectFound(Run run, const std::string& violation) {
  const auto found_by = [&](uint64_t seed) {
    const pid_t child = fork();
    if (child == 0) {
      run(seed);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return (WIFEXITED(status) && WEXITSTATUS(status) == 3) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);  // stuck in Stop()
  };
  const auto run_all = [&] {
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      if (found_by(seed)) _exit(3);
    }
    _exit(0);
  };
  EXPECT_EXIT(run_all(), ::testing::ExitedWithCode(3), violation);
}

}  // namespace quern::testing

#endif  // QUERN_TESTS_RUNTIME_PROPERTY_WORLD_H_
