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
#include "quern/runtime/supervision.h"

namespace quern {

class Extensions;

struct SpawnOptions {
  // What follows a failure. Default: the system's, and by default that restarts.
  Supervisor supervisor = {};
  // The first start: so many tries, each with a new object, within so long; then the actor stops
  // and its name is free again. A handler that never started leaves nothing to restart. The timeout
  // bounds what OnStart asks, too. 0: the system's.
  int start_tries = 0;
  Duration start_timeout = Duration::zero();
  // Passivation: without a message for so long, or after so many messages, the actor stops, as by
  // Stop(), on its own turn. Not while it is suspended or has paused it
  // (Context::PausePassivation). Zero: never. Idleness is measured to 100 ms, never too short.
  Duration passivate_after = Duration::zero();
  uint64_t passivate_after_messages = 0;
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
