// Where every grain is, without a control-plane write a grain (ARCHITECTURE.md, D14). Each member
// has one Directory, with three roles:
//
//   owner   of the partitions that the view gives to this member: knows the activation of each
//           grain there, places new ones, mints their epochs. The only one who does.
//   host    of activations: starts them on an owner's order; on every new view reports what it has
//           to the new owners, and from then on refuses orders of older views.
//   caller  finds a grain by asking the owner, wherever that is.
//
//   Directory directory(options, executor, clock, random, logger, &port);
//   directory.OnView(view, continuous);                       // from MembershipObserver
//   directory.OnMessage(from, body, reply);                   // from NetworkHandler
//   directory.Locate(id, Epoch{}, deadline, [](StatusOr<Location> where) { .. });
//
// What holds: of two activations of one grain that ever serve, the one ordered later has the higher
// epoch and the earlier one had ended, or its member had left the view under its lease. An owner
// serves a partition only when every member of the view has reported on it or left; ownership
// continues only across consecutive views.
//
// A state machine: no threads, no fibers, no clock of its own. Everything on one executor; port
// callbacks must be posted to it. Destroying it drops what waits, uncalled.

#ifndef QUERN_CLUSTER_DIRECTORY_H_
#define QUERN_CLUSTER_DIRECTORY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/cluster/limits.h"
#include "quern/cluster/location_cache.h"
#include "quern/cluster/view.h"
#include "quern/remoting/network.h"
#include "quern/runtime/clock.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/executor.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/logger.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/random.h"

namespace quern::cluster {

// Which of the members that host the kind (and have the role) gets a new activation.
enum class PlacementStrategy : uint8_t {
  kHash,   // rendezvous over the grain's hash: the same member as long as the view stands
  kLocal,  // the member that asked, if it can
  kRandom,
  kRoundRobin,
  kLeastLoaded,  // fewest activations, as far as this owner knows
};

struct Placement {
  PlacementStrategy strategy = PlacementStrategy::kHash;
  std::string role;  // empty: any
};

// What the Directory needs from the node it lives in. Executor only; must outlive the Directory.
class DirectoryPort {
 public:
  using CallDone = std::function<void(StatusOr<remoting::SystemBody>)>;
  using ActivateDone = std::function<void(StatusOr<ActivationInfo>)>;

  virtual ~DirectoryPort() = default;

  // Network::SendSystem and CallSystem. `done` runs on the executor, never within the call.
  virtual void Send(const remoting::PeerAddress& to, remoting::SystemBody body) = 0;
  virtual void Call(const remoting::PeerAddress& to, remoting::SystemBody body, Duration timeout,
                    CallDone done) = 0;

  // NetworkPort::Activate and Deactivate; `done` posted to the executor. The end of an activation
  // comes back through Directory::OnDeactivated.
  virtual void Activate(const GrainId& id, const Epoch& epoch, ActivateDone done) = 0;
  virtual void Deactivate(const GrainId& id, const Status& why) = 0;

  // Membership::OnHigherVersion.
  virtual void FetchView(uint64_t at_least) = 0;
};

struct DirectoryOptions {
  remoting::ProcessId self{};
  // Every member must be given the same answer for a kind. Empty: Placement{} for all.
  std::function<Placement(std::string_view kind)> placement_of;
  Duration call_timeout = std::chrono::seconds(5);       // of one call between members
  Duration retry_first = std::chrono::milliseconds(20);  // of what could not be said or was refused
  Duration retry_max = std::chrono::milliseconds(500);
  size_t ended_epochs_max = kEndedEpochsMax;
  size_t locates_waiting_max = kLocatesWaitingMax;
  size_t held_messages_max = kHeldMessagesMax;
};

struct DirectoryStats {
  size_t partitions_owned = 0;
  size_t partitions_rebuilding = 0;  // owned, reports missing
  size_t entries = 0;                // activations known as owner
  size_t hosted = 0;                 // activations here
  size_t locates_waiting = 0;        // as owner and as caller
  uint64_t placements = 0;
  uint64_t orders_refused = 0;  // as host: old view, not the owner, old epoch
  uint64_t surplus = 0;         // duplicates told to deactivate
};

// One activation as its partition's owner knows it.
struct DirectoryEntry {
  GrainId id;
  Epoch epoch;
  remoting::ProcessId host{};
  bool active = false;  // false: activating, or being asked about
};

class Directory {
 public:
  using LocateDone = std::function<void(StatusOr<Location>)>;
  using Reply = remoting::NetworkHandler::ReplySystem;

  // All references must outlive the object.
  Directory(DirectoryOptions options, Executor& executor, Clock& clock, Random& random,
            Logger& logger, DirectoryPort* port);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // ---- From the node

  // As MembershipObserver tells it. Seals and reports, takes over and gives up partitions.
  void OnView(const ViewPtr& view, bool continuous);

  // Beyond that time this member neither orders, nor accepts orders, nor answers as owner.
  void OnServingUntil(Time until);

  // No new epochs from here on (MembershipObserver::OnFrozen).
  void Freeze();

  // This incarnation is out: deactivates what runs here, drops all knowledge and goes on as
  // `new_self`, with the next view.
  void Reset(const remoting::ProcessId& new_self);

  // True for the types that OnMessage takes.
  static bool Handles(std::string_view type);

  // `reply` is empty for a one-way message.
  void OnMessage(const remoting::NodeIdentity& from, remoting::SystemBody body, Reply reply);

  // The activation with that epoch has ended here (Router::OnDeactivated, posted).
  void OnDeactivated(const GrainId& id, const Epoch& epoch);

  // ---- As caller

  // Where the grain is, placed if it is nowhere. `stale` is the epoch of a location that was found
  // to be wrong (zero: none): the member there said that it has that activation no more. Waits
  // through rebuilds, lost messages and dead owners until `deadline`. `done` runs once, on the
  // executor, never within the call. UNAVAILABLE: not found by the deadline; surely no message was
  // sent. NOT_FOUND: no member hosts the kind. Otherwise what OnActivate returned.
  // RESOURCE_EXHAUSTED: kLocatesWaitingMax.
  void Locate(const GrainId& id, const Epoch& stale, Time deadline, LocateDone done);

  // ---- For tools and tests

  DirectoryStats stats() const;
  std::vector<DirectoryEntry> entries() const;
  std::vector<ActivationInfo> hosted() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The partition of a grain, and the member that owns a partition in a view (nullptr: no active
// member). The same on every node and in every version.
uint32_t PartitionOf(const GrainId& id, const View& view);
const Member* OwnerOf(uint32_t partition, const View& view);

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_DIRECTORY_H_
