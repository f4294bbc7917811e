// What the runtime itself publishes on the event stream (event_stream.h). Plain values: a
// subscriber names the one it wants, an actor has it as a message of its Api.
//
//   auto stops = system.events().Subscribe<quern::ActorStopped>().value();
//   ref.Stop();
//   stops.Next().value().path;                                  // "/greeter"
//
// `path` is the actor's, `actor_class` the name of its class as the compiler writes it, `at` the
// system's clock.

#ifndef QUERN_RUNTIME_LIFECYCLE_EVENTS_H_
#define QUERN_RUNTIME_LIFECYCLE_EVENTS_H_

#include <string>

#include "quern/runtime/clock.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/status.h"

namespace quern {

// OnStart has returned; messages are handled from now on.
struct ActorStarted {
  std::string path;
  std::string actor_class;
  Time at;
};

// Asked to stop, failed too often or passivated: the object is gone and the mailbox dead-lettered.
struct ActorStopped {
  std::string path;
  std::string actor_class;
  Time at;
};

// A constructor, hook or handler failed. What follows from it is told by the next event.
struct ActorFailed {
  std::string path;
  std::string actor_class;
  Status why;
  Time at;
};

// Runs again with a fresh object, after a failure or because somebody asked for it.
struct ActorRestarted {
  std::string path;
  std::string actor_class;
  Time at;
};

// Handles nothing until it is reinstated, restarted or stopped.
struct ActorSuspended {
  std::string path;
  std::string actor_class;
  Status why;
  Time at;
};

struct ActorReinstated {
  std::string path;
  std::string actor_class;
  Time at;
};

// A failure that no rule of the supervisor matches: the documented default applies, and this says
// so.
struct ActorUnsupervised {
  std::string path;
  std::string actor_class;
  Status why;
  Time at;
};

// Idle, or at its message count: it stops, ActorStopped follows.
struct ActorPassivated {
  std::string path;
  std::string actor_class;
  Time at;
};

// More actors than the system's eviction limit: this one was chosen to stop.
struct ActorEvicted {
  std::string path;
  std::string actor_class;
  Time at;
};

// OnActivate has returned OK.
struct GrainActivated {
  GrainId id;
  Epoch epoch;
  Time at;
};

// Everybody who waited has been answered, or will be, with `why`. The next call tries again.
struct GrainActivationFailed {
  GrainId id;
  Status why;
  Time at;
};

// OnDeactivate has run. `why`: as OnDeactivate was told.
struct GrainDeactivated {
  GrainId id;
  Epoch epoch;
  Status why;
  Time at;
};

// A handler has not let go of its worker for SystemOptions::watchdog_after: handlers that
// are parked there, and timers, wait for it.
struct WorkerHeld {
  std::string path;     // "" when nobody's turn was running
  std::string message;  // "" in a hook
  int worker = 0;
  Duration held{};
  std::string stack;  // a line a frame, the innermost first; may be empty
  Time at;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_LIFECYCLE_EVENTS_H_
