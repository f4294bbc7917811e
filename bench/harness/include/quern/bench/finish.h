// How actors tell the plain thread that started them that the work is through.
//
//   Finish finish;
//   finish.Expect(pairs);          // then each pair calls finish.One() when it is done
//   finish.Wait();
//
// Thread-safe. Reusable after a wait.

#ifndef QUERN_BENCH_FINISH_H_
#define QUERN_BENCH_FINISH_H_

#include <atomic>
#include <cstdint>

namespace quern::bench {

class Finish {
 public:
  void Expect(int64_t count) { left_.store(count, std::memory_order_relaxed); }
  void One() { Many(1); }
  void Many(int64_t count) {
    if (left_.fetch_sub(count, std::memory_order_acq_rel) == count) left_.notify_one();
  }
  // Blocks the thread.
  void Wait() {
    for (int64_t left = left_.load(); left > 0; left = left_.load()) left_.wait(left);
  }

 private:
  std::atomic<int64_t> left_{0};
};

}  // namespace quern::bench

#endif  // QUERN_BENCH_FINISH_H_
