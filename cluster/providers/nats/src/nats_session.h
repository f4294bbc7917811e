// What a NatsControlPlane is made of: a loop, a connection, its requests, three buckets and the
// watches on them.

#ifndef QUERN_CLUSTER_SRC_NATS_SESSION_H_
#define QUERN_CLUSTER_SRC_NATS_SESSION_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <absl/synchronization/notification.h>

#include "nats_bucket.h"
#include "nats_connection.h"
#include "nats_listing.h"
#include "nats_loop.h"
#include "nats_requests.h"
#include "nats_watch.h"
#include "quern/cluster/nats_control_plane.h"

namespace quern::cluster {

// A mutation as JetStream sees it: a publish that expects a last sequence (0: no message).
struct NatsMutation {
  Table table = Table::kControl;
  std::string key;
  std::optional<std::string> value;  // absent: a tombstone
  uint64_t expected = 0;
};

class NatsControlPlane::Session {
 public:
  Session(NatsControlPlaneOptions options, const std::string& bucket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Connects and sets the buckets up. Blocks the thread.
  Status Open();

  // Any thread, all of these.
  void Mutate(NatsMutation mutation, Duration timeout, CasCallback done);
  void Create(Table table, std::string key, std::string value, Duration timeout, CasCallback done);
  void Get(Table table, std::string key, Duration timeout, GetCallback done);
  void List(Table table, std::string prefix, Duration timeout, ListCallback done);
  std::unique_ptr<WatchHandle> Watch(Table table, std::string prefix, WatchCallback on_event);
  bool store_recreated() const { return store_recreated_; }

 private:
  class Handle;
  struct Tether;

  NatsBucket& bucket(Table table) { return buckets_[static_cast<size_t>(table)]; }

  // The loop's thread, all of these.
  void OnMessage(uint64_t receiver, natsMsg* message);
  void OnConnected();
  void OnDisconnected();
  void SetUp();
  void SetUpLater(Status why);
  void AnswerOpen(Status status);
  void CheckBucket(NatsBucket& bucket);
  void TookBucket(NatsBucket& bucket, const StatusOr<StreamSummary>& summary);
  void Publish(const NatsMutation& mutation, Duration timeout, CasCallback done);
  void CreateOverTombstone(NatsMutation mutation, CasResult refusal, Time deadline,
                           CasCallback done);
  void EndWatch(uint64_t id);
  Duration LeftUntil(Time deadline) const;

  const NatsControlPlaneOptions options_;
  std::array<NatsBucket, 3> buckets_;
  NatsLoop loop_;
  NatsConnection connection_;
  NatsRequests requests_;
  const std::shared_ptr<Tether> tether_;
  std::atomic<bool> store_recreated_{false};
  std::atomic<uint64_t> last_receiver_{0};

  // The loop's thread only.
  std::map<uint64_t, std::shared_ptr<NatsWatch>> watches_;
  bool set_up_ = false;
  uint64_t set_up_timer_ = 0;
  Status set_up_error_ = absl::UnavailableError("no server answers");

  absl::Notification opened_;
  Status open_status_;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_SESSION_H_
