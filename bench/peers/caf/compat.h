// The few calls that CAF 1 and the 0.17 of Debian spell differently. Messages are told apart by
// built-in types alone, which need no registration in either.

#ifndef QUERN_BENCH_PEERS_CAF_COMPAT_H_
#define QUERN_BENCH_PEERS_CAF_COMPAT_H_

#include <caf/all.hpp>
#include <cstddef>
#include <utility>

#if CAF_VERSION >= 10000

template <typename Self, typename M>
void Send(Self* self, const caf::actor& to, M message) {
  self->mail(message).send(to);
}
template <typename Self, typename M>
auto Request(Self* self, const caf::actor& to, M message) {
  return self->mail(message).request(to, caf::infinite);
}
inline void Configure(caf::actor_system_config& config, size_t workers) {
  config.set("caf.scheduler.max-threads", workers);
  config.set("caf.logger.console.verbosity", "quiet");
}

#else

template <typename Self, typename M>
void Send(Self* self, const caf::actor& to, M message) {
  self->send(to, message);
}
template <typename Self, typename M>
auto Request(Self* self, const caf::actor& to, M message) {
  return self->request(to, caf::infinite, message);
}
inline void Configure(caf::actor_system_config& config, size_t workers) {
  config.set("scheduler.max-threads", workers);
}

#endif

#endif  // QUERN_BENCH_PEERS_CAF_COMPAT_H_
