#include "quern/cluster/view.h"

#include <algorithm>

namespace quern::cluster {

std::string_view MemberStateName(MemberState state) {
  switch (state) {
    case MemberState::kJoining:
      return "joining";
    case MemberState::kActive:
      return "active";
    case MemberState::kLeaving:
      return "leaving";
  }
  return "unknown";
}

bool Member::Hosts(std::string_view kind) const { return std::ranges::count(kinds, kind) > 0; }

bool Member::HasRole(std::string_view role) const {
  return role.empty() || std::ranges::count(roles, role) > 0;
}

const Member* View::Find(const remoting::ProcessId& process) const {
  const auto found = std::ranges::find(members, process, &Member::process_id);
  return found == members.end() ? nullptr : &*found;
}

const Member* View::FindNode(std::string_view node_id) const {
  const auto found = std::ranges::find(members, node_id, &Member::node_id);
  return found == members.end() ? nullptr : &*found;
}

const Member* View::Coordinator() const {
  const auto found = std::ranges::find(members, MemberState::kActive, &Member::state);
  return found == members.end() ? nullptr : &*found;
}

}  // namespace quern::cluster
