// POSIX's semaphore with the interface of std::counting_semaphore, which may sleep forever in GCC
// 12 (libstdc++ bug 104928). ThreadSanitizer knows that sem_wait() blocks, and lets a signal
// through.

#ifndef QUERN_TESTS_RUNTIME_POSIX_SEMAPHORE_H_
#define QUERN_TESTS_RUNTIME_POSIX_SEMAPHORE_H_

#include <semaphore.h>

namespace quern {

class PosixSemaphore {
 public:
  explicit PosixSemaphore(unsigned count) { sem_init(&semaphore_, 0, count); }
  ~PosixSemaphore() { sem_destroy(&semaphore_); }
  PosixSemaphore(const PosixSemaphore&) = delete;
  PosixSemaphore& operator=(const PosixSemaphore&) = delete;

  void release(int count = 1) {
    for (; count > 0; --count) sem_post(&semaphore_);
  }
  void acquire() {
    while (sem_wait(&semaphore_) != 0) {
    }
  }
  bool try_acquire() { return sem_trywait(&semaphore_) == 0; }

 private:
  sem_t semaphore_;
};

}  // namespace quern

#endif  // QUERN_TESTS_RUNTIME_POSIX_SEMAPHORE_H_
