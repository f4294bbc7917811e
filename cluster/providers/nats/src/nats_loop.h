// The thread of a NatsControlPlane: closures and received messages, posted from anywhere, and
// timers, set from the thread itself.
//
// Post and PostMessage are thread-safe, all else is for the loop's own thread.

#ifndef QUERN_CLUSTER_SRC_NATS_LOOP_H_
#define QUERN_CLUSTER_SRC_NATS_LOOP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/clock.h"

typedef struct __natsMsg natsMsg;

namespace quern::cluster {

class NatsLoop {
 public:
  using Closure = std::function<void()>;
  // Takes a message that arrived for `receiver`; the loop destroys it afterwards.
  using OnMessage = std::function<void(uint64_t receiver, natsMsg* message)>;

  NatsLoop(const Clock& clock, OnMessage on_message);
  ~NatsLoop();  // stopped before
  NatsLoop(const NatsLoop&) = delete;
  NatsLoop& operator=(const NatsLoop&) = delete;

  void Start();

  // Runs what was posted, then ends the thread. What is posted later is dropped. Blocks the thread.
  void Stop();

  void Post(Closure closure);

  // Takes ownership.
  void PostMessage(uint64_t receiver, natsMsg* message);

  // Loop's thread only. The timer's id, for Cancel.
  uint64_t After(Duration delay, Closure closure);
  void Cancel(uint64_t timer);

  const Clock& clock() const { return clock_; }

 private:
  struct Inbound {
    uint64_t receiver = 0;
    natsMsg* message = nullptr;
  };

  void Run();
  // Waits for work or the next timer. False: stop.
  bool Take(std::vector<Inbound>* messages, std::vector<Closure>* closures);
  void RunTimers();

  const Clock& clock_;
  const OnMessage on_message_;
  std::thread thread_;

  // Loop's thread only.
  std::map<std::pair<Time, uint64_t>, Closure> timers_;
  std::map<uint64_t, Time> due_;
  uint64_t last_timer_ = 0;
  Time timers_not_before_{};
  Time last_ran_{};

  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::vector<Inbound> messages_ ABSL_GUARDED_BY(mutex_);
  std::vector<Closure> closures_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_LOOP_H_
