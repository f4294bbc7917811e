// Savina's fork-join: many actors made for one small computation each, and messages to sixty.

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Compute {
  int64_t number;
};
struct WorkerApi : Protocol<void(Compute)> {};

// Savina's: a few floating point operations that nobody can leave out.
bool Worked(int64_t number) {
  const double angle = 37.2 + static_cast<double>(number % 2);
  const double sine = std::sin(angle);
  return sine * sine > 0;
}

struct Once : Actor<WorkerApi> {
  Once(Finish* finish, Tally* worked) : finish_(finish), worked_(worked) {}
  void On(const Compute& m, Context& context) {
    if (Worked(m.number)) worked_->Add(1);
    finish_->One();
    context.Stop();
  }
  Finish* finish_;
  Tally* worked_;
};

struct Often : Actor<WorkerApi> {
  Often(int64_t messages, Finish* finish, Tally* worked)
      : left_(messages), finish_(finish), worked_(worked) {}
  void On(const Compute& m) {
    done_ += Worked(m.number) ? 1 : 0;
    if (--left_ == 0) finish_->One();
  }
  void OnStop() { worked_->Add(done_); }
  int64_t left_;
  Finish* finish_;
  Tally* worked_;
  int64_t done_ = 0;
};

}  // namespace

Outcome ForkJoinCreate(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally worked;
  finish.Expect(setup.size);
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    system.Spawn<Once>(std::to_string(i), &finish, &worked).value().Tell(Compute{i});
  }
  finish.Wait();
  Outcome outcome{.messages = setup.size, .took = watch.Stop()};
  outcome.Check("computations", worked.sum(), static_cast<double>(setup.size));
  return outcome;
}

Outcome ForkJoinThroughput(const Setup& setup) {
  constexpr int64_t kActors = 60;
  System system(OptionsFor(setup));
  Finish finish;
  Tally worked;
  std::vector<Ref<WorkerApi>> workers;
  for (int64_t i = 0; i < kActors; ++i) {
    workers.push_back(system.Spawn<Often>(std::to_string(i), setup.size, &finish, &worked).value());
  }
  finish.Expect(kActors);
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    for (const auto& worker : workers) worker.Tell(Compute{i});
  }
  finish.Wait();
  Outcome outcome{.messages = kActors * setup.size, .took = watch.Stop()};
  system.Stop();
  outcome.Check("computations", worked.sum(), static_cast<double>(outcome.messages));
  return outcome;
}

}  // namespace quern::bench
