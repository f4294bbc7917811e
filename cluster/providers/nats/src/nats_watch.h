// One watch on a bucket. It hears committed changes on a core subscription, which needs no consumer
// and survives a change of leader, and compares with a listing: at first, after every gap, and at
// intervals. A change is passed on once, by its revision. For the loop's thread, except Close().

#ifndef QUERN_CLUSTER_SRC_NATS_WATCH_H_
#define QUERN_CLUSTER_SRC_NATS_WATCH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "nats_bucket.h"
#include "nats_connection.h"
#include "nats_listing.h"
#include "nats_loop.h"
#include "nats_requests.h"
#include "quern/cluster/callback_gate.h"
#include "quern/cluster/control_plane.h"

namespace quern::cluster {

class NatsWatch : public std::enable_shared_from_this<NatsWatch> {
 public:
  NatsWatch(uint64_t id, NatsLoop& loop, NatsConnection& connection, NatsRequests& requests,
            const NatsBucket& bucket, std::string prefix, Duration audit,
            ControlPlane::WatchCallback on_event);

  void Start();

  // A republished message arrived.
  void Took(natsMsg* message);

  // Messages may have been missed.
  void OnGap();

  // Ends the subscription and the timers.
  void Stop();

  // Thread-safe: no callback begins afterwards.
  void Close() { gate_.Close(); }

  uint64_t id() const { return id_; }

 private:
  struct Known {
    uint64_t revision = 0;
    bool deleted = false;
  };

  void Read();
  void ReadLater(Duration pause);
  // `heard`: the highest revision when the listing was asked for.
  void TookListing(uint64_t heard, StatusOr<NatsListing> listing);
  void Compare(const NatsListing& listing, bool pass_on_all);
  void PassOn(WatchEvent event);
  void Emit(const WatchEvent& event);

  const uint64_t id_;
  NatsLoop& loop_;
  NatsConnection& connection_;
  NatsRequests& requests_;
  const NatsBucket& bucket_;
  const std::string prefix_;
  const Duration audit_;
  const ControlPlane::WatchCallback on_event_;
  CallbackGate gate_;
  std::vector<NatsPtr<natsSubscription>> subscriptions_;
  std::unordered_map<std::string, Known> known_;
  uint64_t highest_ = 0;  // revision heard or read so far
  std::string created_;   // of the stream that `known_` is about
  uint64_t round_ = 0;    // of reading; an older one's answer is void
  uint64_t timer_ = 0;
  bool initial_done_ = false;  // false again from a gap to the end of its listing
  bool stopped_ = false;
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_NATS_WATCH_H_
