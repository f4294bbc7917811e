// A plain thread that has asked spins before it sleeps: between two threads that are awake a
// question and its answer take half a microsecond, with sleepers many times that.
//
//   ThreadSpin spin(scheduler);  // before it posts
//   cell.Post(ask);
//   if (!spin.Until([&] { return answered(); })) spin.Waited(Sleep());
//
// While it spins it looks after the shared queue: what is put there wakes nobody as long as some
// worker is awake to take it; what no worker has taken after a moment, it wakes one for. Spins that
// find nothing become shorter, down to none; a short wait brings them back. At most half the cores
// are spun on.
//
// Of one thread, on its stack. Stepped systems have none: there the thread runs the workers.

#ifndef QUERN_RUNTIME_SRC_SCHEDULER_THREAD_SPIN_H_
#define QUERN_RUNTIME_SRC_SCHEDULER_THREAD_SPIN_H_

#include "scheduler/cpu_pause.h"
#include "scheduler/scheduler.h"

namespace quern::internal {

class ThreadSpin {
 public:
  explicit ThreadSpin(Scheduler& scheduler);
  ~ThreadSpin() { Leave(); }
  ThreadSpin(const ThreadSpin&) = delete;
  ThreadSpin& operator=(const ThreadSpin&) = delete;

  // False: it has not come while spinning was worth while. Once.
  template <typename Answered>
  bool Until(const Answered& answered) {
    for (int i = 0; i < pauses_; ++i) {
      if (answered()) {
        Found();
        return true;
      }
      CpuPause();
      if (i == kLookAfter) scheduler_.WakeForWaiting();
    }
    Missed();
    return false;
  }

  // Which came to so much, with the sleep.
  void Waited(Duration wait);

 private:
  static constexpr int kLookAfter = 32;  // pauses: what a worker that is awake needs to come round

  void Found();
  void Missed();
  void Leave();

  Scheduler& scheduler_;
  int pauses_ = 0;
  bool spinning_ = false;  // counted as one of those that spin
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SCHEDULER_THREAD_SPIN_H_
