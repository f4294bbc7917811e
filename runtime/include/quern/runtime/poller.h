// How an idle worker sleeps: until a time has gone by or somebody wakes it. The default is a futex;
// a network layer may supply one that also waits on sockets.
//
//   worker   poller.Wait(20ms);       any thread   poller.Wake();
//
// Wait belongs to one worker. Wake is thread-safe; a Wake() before Wait() makes it return at once,
// and several count as one.

#ifndef QUERN_RUNTIME_POLLER_H_
#define QUERN_RUNTIME_POLLER_H_

#include <memory>
#include <optional>

#include "quern/runtime/clock.h"

namespace quern {

class Poller {
 public:
  virtual ~Poller() = default;

  // Blocks the thread. No timeout: until Wake(). May return early.
  virtual void Wait(std::optional<Duration> timeout) = 0;

  virtual void Wake() = 0;
};

std::unique_ptr<Poller> FutexPoller();

}  // namespace quern

#endif  // QUERN_RUNTIME_POLLER_H_
