// Ends a stream of callbacks safely: after Close() none begins, and one that runs on another thread
// has returned. For providers' watch handles.
//
//   CallbackGate gate;
//   gate.Run([&] { on_event(event); });  // the provider's thread, one at a time
//   gate.Close();                        // the handle's destructor, also from inside a callback
//
// Thread-safe. Close() blocks the thread while a callback runs on another one.

#ifndef QUERN_CLUSTER_CALLBACK_GATE_H_
#define QUERN_CLUSTER_CALLBACK_GATE_H_

#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace quern::cluster {

class CallbackGate {
 public:
  // Calls `callback` unless the gate is closed. False: it was.
  template <typename Callback>
  bool Run(const Callback& callback) {
    {
      absl::MutexLock lock(&mutex_);
      if (closed_) return false;
      running_ = std::this_thread::get_id();
    }
    callback();
    absl::MutexLock lock(&mutex_);
    running_ = std::thread::id();
    return true;
  }

  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    if (running_ == std::this_thread::get_id()) return;
    const auto idle = [this]()
                          ABSL_NO_THREAD_SAFETY_ANALYSIS { return running_ == std::thread::id(); };
    mutex_.Await(absl::Condition(&idle));
  }

  bool closed() const {
    absl::MutexLock lock(&mutex_);
    return closed_;
  }

 private:
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_CALLBACK_GATE_H_
