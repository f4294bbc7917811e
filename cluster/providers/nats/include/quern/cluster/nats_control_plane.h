// A ControlPlane on NATS JetStream: the reference provider (ARCHITECTURE.md, D12).
//
//   auto plane = NatsControlPlane::Connect({.url = "nats://127.0.0.1:4222", .cluster = "flights"});
//   if (!plane.ok()) return plane.status();
//   (*plane)->Create(Table::kLease, key, bytes, 1s, [](CasResult r) { .. });
//
// Each table is a key-value bucket, <bucket>-control, -lease and -state, created on first use: one
// message a subject, direct get off (reads come from the stream's leader), republish on. Watches
// listen to the republished, that is committed, messages on a plain subscription, read again after
// every reconnect and at intervals, and so outlive a change of leader. Nothing is buffered while
// there is no connection: a mutation then ends as kUnsent and is never applied later. A timeout
// counts from when the request leaves for the server.
//
// One connection and one thread an object; callbacks arrive on that thread. A node opens a second
// one for its lease, so that nothing delays a renewal. Thread-safe; not to be destroyed from one of
// its own callbacks.

#ifndef QUERN_CLUSTER_NATS_CONTROL_PLANE_H_
#define QUERN_CLUSTER_NATS_CONTROL_PLANE_H_

#include <memory>
#include <string>
#include <string_view>

#include "quern/cluster/control_plane.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/logger.h"

namespace quern::cluster {

struct NatsControlPlaneOptions {
  std::string url;           // "nats://host:port", several with commas
  std::string cluster = {};  // names the buckets
  std::string bucket = {};   // their common prefix [A-Za-z0-9_-]+; empty: from `cluster`
  int replicas = 1;          // of buckets that this call creates
  Duration lease_ttl = std::chrono::seconds(20);  // the lease bucket forgets after ten of these
  Duration connect_timeout = std::chrono::seconds(10);
  // Watches compare what they heard with what is there this often: it bounds how late they learn
  // of an event that died with a server, or of a lease that the bucket forgot silently.
  Duration watch_audit = std::chrono::seconds(5);
  Clock* clock = &SystemClock();
  Logger* logger = &NullLogger();
};

class NatsControlPlane : public ControlPlane {
 public:
  // Connects, creates the buckets where they are missing (any number of nodes may do so at once)
  // and retries while the server starts. Blocks the thread. INVALID_ARGUMENT: an option, named.
  // UNAVAILABLE: no server, or none with JetStream, within connect_timeout. FAILED_PRECONDITION: a
  // bucket exists with a setup that would lose records.
  static StatusOr<std::unique_ptr<NatsControlPlane>> Connect(NatsControlPlaneOptions options);

  ~NatsControlPlane() override;
  NatsControlPlane(const NatsControlPlane&) = delete;
  NatsControlPlane& operator=(const NatsControlPlane&) = delete;

  void Get(Table table, std::string_view key, Duration timeout, GetCallback done) override;
  void Create(Table table, std::string_view key, std::string value, Duration timeout,
              CasCallback done) override;
  void Update(Table table, std::string_view key, std::string value, uint64_t expected,
              Duration timeout, CasCallback done) override;
  void Delete(Table table, std::string_view key, uint64_t expected, Duration timeout,
              CasCallback done) override;
  void List(Table table, std::string_view prefix, Duration timeout, ListCallback done) override;
  std::unique_ptr<WatchHandle> Watch(Table table, std::string_view prefix,
                                     WatchCallback on_event) override;

  // True once a bucket was found to be another one than at Connect: deleted or rebuilt meanwhile.
  // Logged as an error when noticed.
  bool store_recreated() const;

  class Session;

 private:
  explicit NatsControlPlane(std::unique_ptr<Session> session);

  const std::unique_ptr<Session> session_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_NATS_CONTROL_PLANE_H_
