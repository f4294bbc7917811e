#include "view/view_record.h"

#include <algorithm>

#include "quern/cluster/limits.h"

namespace quern::cluster::internal {
namespace {

MemberState FromRecord(v1::MemberState state) {
  switch (state) {
    case v1::MEMBER_STATE_ACTIVE:
      return MemberState::kActive;
    case v1::MEMBER_STATE_LEAVING:
      return MemberState::kLeaving;
    default:
      return MemberState::kJoining;  // what we do not know gets nothing placed on it
  }
}

v1::MemberState ToRecord(MemberState state) {
  switch (state) {
    case MemberState::kActive:
      return v1::MEMBER_STATE_ACTIVE;
    case MemberState::kLeaving:
      return v1::MEMBER_STATE_LEAVING;
    case MemberState::kJoining:
      break;
  }
  return v1::MEMBER_STATE_JOINING;
}

Member ToMember(const v1::Member& record) {
  Member member;
  member.node_id = record.node_id();
  member.process_id = ProcessFromBytes(record.process_id()).value_or(remoting::ProcessId{});
  member.incarnation = record.incarnation();
  member.bound_address = record.bound_address();
  member.address = record.advertised_address();
  member.state = FromRecord(record.state());
  member.roles.assign(record.roles().begin(), record.roles().end());
  member.kinds.assign(record.kinds().begin(), record.kinds().end());
  member.exit_provable = record.exit_provable();
  member.pid = record.pid();
  member.pid_start_time = record.pid_start_time();
  member.boot_id = record.boot_id();
  return member;
}

}  // namespace

StatusOr<v1::View> ParseViewRecord(std::string_view bytes) {
  v1::View record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("view record of " + std::to_string(bytes.size()) +
                               " bytes: not a view");
  }
  if (Status status = CheckViewRecord(record); !status.ok()) return status;
  return record;
}

Status CheckViewRecord(const v1::View& record) {
  const std::string what = "view record " + std::to_string(record.version()) + ": ";
  if (record.version() == 0) return absl::DataLossError(what + "no version");
  if (record.partition_count() == 0 || record.partition_count() > kPartitionCountMax) {
    return absl::DataLossError(what + std::to_string(record.partition_count()) + " partitions");
  }
  if (static_cast<size_t>(record.members_size()) > kMembersMax) {
    return absl::DataLossError(what + std::to_string(record.members_size()) + " members");
  }
  for (const v1::Member& member : record.members()) {
    if (!ProcessFromBytes(member.process_id()).ok()) {
      return absl::DataLossError(what + "a member without a process id");
    }
  }
  return absl::OkStatus();
}

View ToView(const v1::View& record) {
  View view;
  view.version = record.version();
  view.id = record.id();
  view.parent_id = record.parent_id();
  view.control_plane_incarnation = record.control_plane_incarnation();
  view.partition_count = record.partition_count();
  view.hash_seed = record.hash_seed();
  view.members.reserve(static_cast<size_t>(record.members_size()));
  for (const v1::Member& member : record.members()) view.members.push_back(ToMember(member));
  return view;
}

void FillMember(const Member& member, v1::Member* record) {
  record->set_node_id(member.node_id);
  record->set_process_id(ProcessBytes(member.process_id));
  record->set_incarnation(member.incarnation);
  record->set_bound_address(member.bound_address);
  record->set_advertised_address(member.address);
  record->set_state(ToRecord(member.state));
  record->mutable_roles()->Assign(member.roles.begin(), member.roles.end());
  record->mutable_kinds()->Assign(member.kinds.begin(), member.kinds.end());
  record->set_exit_provable(member.exit_provable);
  record->set_pid(member.pid);
  record->set_pid_start_time(member.pid_start_time);
  record->set_boot_id(member.boot_id);
}

v1::Member* FindMember(v1::View* record, const remoting::ProcessId& process) {
  const std::string bytes = ProcessBytes(process);
  for (v1::Member& member : *record->mutable_members()) {
    if (member.process_id() == bytes) return &member;
  }
  return nullptr;
}

std::string ProcessBytes(const remoting::ProcessId& process) {
  return std::string(process.begin(), process.end());
}

StatusOr<remoting::ProcessId> ProcessFromBytes(std::string_view bytes) {
  remoting::ProcessId process{};
  if (bytes.size() != process.size()) {
    return absl::DataLossError("a process id has 16 bytes, not " + std::to_string(bytes.size()));
  }
  std::ranges::transform(bytes, process.begin(), [](char c) { return static_cast<uint8_t>(c); });
  return process;
}

std::string ProcessHex(const remoting::ProcessId& process) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : process) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

}  // namespace quern::cluster::internal
