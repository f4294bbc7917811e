// How an actor is spawned, beyond its name and arguments.

#ifndef QUERN_RUNTIME_SPAWN_OPTIONS_H_
#define QUERN_RUNTIME_SPAWN_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "quern/runtime/clock.h"
#include "quern/runtime/mailbox.h"
#include "quern/runtime/reentrancy.h"

namespace quern {

class Extensions;

// What happens when a handler, the constructor or OnStart throws, or OnStart returns an error.
enum class Supervision : uint8_t {
  kRestart,  // a new object from the kept arguments, after a pause of 50 ms to 30 s; the mailbox
             // stays; at most 10 a minute, then stop
  kStop,
};

struct SpawnOptions {
  Supervision supervision = Supervision::kRestart;
  // Without a message for so long, the actor stops. Zero: never.
  Duration passivate_after = Duration::zero();
  // Where messages wait. Default: without a bound, in order of arrival.
  MailboxOptions mailbox = {};
  // Messages that Context::Stash() may put aside at a time. 0: it may not.
  size_t stash_capacity = 0;
  // Whether further messages are handled while a handler waits for an answer.
  Reentrancy reentrancy = Reentrancy::kOff;
  // Its asks in flight; more are refused: RESOURCE_EXHAUSTED. 0: no bound.
  uint32_t asks_in_flight_max = 0;
  // What this actor alone finds with Context::Dependency, before the system's extensions. Shared by
  // all actors that are spawned with it.
  std::shared_ptr<const Extensions> dependencies = nullptr;
  // For a spawn in another datacenter or on another node.
  Duration timeout = std::chrono::seconds(10);
};

}  // namespace quern

#endif  // QUERN_RUNTIME_SPAWN_OPTIONS_H_
