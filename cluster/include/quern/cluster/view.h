// The members of a cluster at one version, as everybody above the record sees them. A value; shared
// between threads it is immutable.
//
//   if (const Member* coordinator = view->Coordinator()) Log(coordinator->node_id);
//
// The record itself (cluster.proto) has a random id and names its parent's: two views of one
// version that differ in id mean that the control plane has lost writes.

#ifndef QUERN_CLUSTER_VIEW_H_
#define QUERN_CLUSTER_VIEW_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quern/remoting/network.h"

namespace quern::cluster {

enum class MemberState : uint8_t {
  kJoining,  // in the view, not yet serving
  kActive,   // owns partitions, hosts grains
  kLeaving,  // hosts what it still has; gets nothing new
};

// "joining", "active", "leaving".
std::string_view MemberStateName(MemberState state);

struct Member {
  std::string node_id;
  remoting::ProcessId process_id{};
  uint64_t incarnation = 0;  // view version of its join
  std::string bound_address;
  std::string address;  // advertised: where others reach it
  MemberState state = MemberState::kJoining;
  std::vector<std::string> roles;
  std::vector<std::string> kinds;  // of grains and actors that it hosts
  // The end of its sessions and a refusing address prove its exit: bound address = advertised
  // address, exclusive bind, listener open from before the join until exit, not draining.
  bool exit_provable = false;
  uint64_t pid = 0;
  uint64_t pid_start_time = 0;
  // The machine, its boot and its pid name space: only where all three are equal does a pid mean
  // the same.
  std::string boot_id;

  remoting::PeerAddress peer() const { return {address, process_id}; }
  bool Hosts(std::string_view kind) const;
  bool HasRole(std::string_view role) const;

  bool operator==(const Member&) const = default;
};

struct View {
  uint64_t version = 0;  // 0: no view yet
  uint64_t id = 0;
  uint64_t parent_id = 0;
  uint64_t control_plane_incarnation = 0;
  uint32_t partition_count = 0;
  uint64_t hash_seed = 0;
  std::vector<Member> members;  // order of joining

  // nullptr when it is not a member.
  const Member* Find(const remoting::ProcessId& process) const;
  const Member* FindNode(std::string_view node_id) const;

  // The longest-standing active member; nullptr when none is active.
  const Member* Coordinator() const;

  bool operator==(const View&) const = default;
};

using ViewPtr = std::shared_ptr<const View>;  // one view, read by all layers and threads

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_VIEW_H_
