// A key-value bucket on JetStream: its names, and its creation.

#ifndef QUERN_CLUSTER_SRC_NATS_BUCKET_H_
#define QUERN_CLUSTER_SRC_NATS_BUCKET_H_

#include <string>
#include <string_view>

#include <nats/nats.h>

#include "quern/runtime/clock.h"
#include "quern/runtime/status.h"

namespace quern::cluster {

struct NatsBucket {
  // `name` is the bucket's; zero `max_age`: nothing expires.
  NatsBucket(const std::string& name, Duration max_age_in)
      : stream("KV_" + name), subjects("$KV." + name + "."), max_age(max_age_in) {}

  std::string Subject(std::string_view key) const { return subjects + std::string(key); }
  // Where committed messages of `key` are heard.
  std::string EventSubject(std::string_view key) const;
  // The key of a (republished) message's subject; empty when it is of another bucket.
  std::string_view KeyOf(std::string_view subject) const;

  const std::string stream;
  const std::string subjects;  // "$KV.<bucket>."
  const Duration max_age;
  std::string created = {};  // the stream's, as first seen
};

// Creates the bucket's stream, or finds it as it must be. Blocks the thread, at most a few tries'
// time. UNAVAILABLE: try again. FAILED_PRECONDITION: it exists with a setup that would lose
// records.
Status EnsureBucket(natsConnection* connection, const NatsBucket& bucket, int replicas);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_BUCKET_H_
