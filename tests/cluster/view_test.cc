#include "quern/cluster/view.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quern/cluster/directory.h"

namespace quern::cluster {
namespace {

View Of(const std::vector<std::string>& names) {
  View view;
  view.version = 1;
  view.partition_count = kPartitionCount;
  view.hash_seed = 7;
  for (const std::string& name : names) {
    Member member;
    member.node_id = name;
    member.process_id[0] = static_cast<uint8_t>(view.members.size() + 1);
    member.state = MemberState::kActive;
    view.members.push_back(member);
  }
  return view;
}

TEST(ViewTest, TheCoordinatorIsTheLongestStandingActiveMember) {
  View view = Of({"a", "b", "c"});

  EXPECT_EQ(view.Coordinator()->node_id, "a");
  view.members[0].state = MemberState::kLeaving;
  EXPECT_EQ(view.Coordinator()->node_id, "b");
  view.members[1].state = view.members[2].state = MemberState::kJoining;

  EXPECT_EQ(view.Coordinator(), nullptr);
}

TEST(ViewTest, OnlyActiveMembersOwnPartitions) {
  View view = Of({"a", "b", "c"});
  view.members[0].state = MemberState::kJoining;
  view.members[1].state = MemberState::kLeaving;

  for (uint32_t partition = 0; partition < view.partition_count; ++partition) {
    EXPECT_EQ(OwnerOf(partition, view)->node_id, "c");
  }
}

TEST(ViewTest, ANewMemberTakesItsShareAndMovesNothingElse) {
  const View before = Of({"a", "b", "c"});
  const View after = Of({"a", "b", "c", "d"});

  uint32_t moved = 0;
  for (uint32_t partition = 0; partition < before.partition_count; ++partition) {
    const std::string owner = OwnerOf(partition, after)->node_id;
    if (owner == OwnerOf(partition, before)->node_id) continue;
    EXPECT_EQ(owner, "d");
    ++moved;
  }

  EXPECT_GT(moved, kPartitionCount / 8);
  EXPECT_LT(moved, kPartitionCount / 2);
}

// Nodes of different versions must agree for ever: these are literals on purpose.
TEST(ViewTest, PartitionsAndOwnersAreTheSameInEveryVersion) {
  const View view = Of({"a", "b", "c"});

  EXPECT_EQ(PartitionOf(GrainId("airport", "ORD"), view), 115u);
  EXPECT_EQ(PartitionOf(GrainId("airport", "LAX"), view), 209u);
  std::string owners;
  for (uint32_t partition = 0; partition < 16; ++partition) {
    owners += OwnerOf(partition, view)->node_id;
  }
  EXPECT_EQ(owners, "bcbbacbbabaacbba");
}

}  // namespace
}  // namespace quern::cluster
