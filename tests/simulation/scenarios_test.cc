// The seven situations that a membership and a directory like ours are known to get wrong. Each is
// played twice: as it is, where nothing may happen, and with a planted bug, where the same oracles
// must see it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/testing/sim_cluster.h"
#include "sabotage.h"

namespace quern::testing {
namespace {

using cluster::internal::Sabotage;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kSeed = 1;
constexpr char kActivateRequest[] = "quern.cluster.v1.ActivateRequest";

class Planted {
 public:
  explicit Planted(Sabotage bug) { cluster::internal::planted = bug; }
  ~Planted() { cluster::internal::planted = Sabotage::kNone; }
};

// What the oracles saw.
using Scenario = std::string (*)();

std::string With(Sabotage bug, Scenario scenario) {
  const Planted planted(bug);
  return scenario();
}

// ---- 1

std::string DeafObserver() {
  SimCluster sim(kSeed);
  EXPECT_TRUE(sim.Start({"a", "b", "c"}));

  // "a" hears of nobody's renewals for far longer than a lease, and notices nothing.
  sim.store().Deafen("a", true);
  sim.RunFor(seconds(8));

  sim.HealAll();
  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, ADeafObserverCannotEvictANodeThatRenews) { EXPECT_EQ(DeafObserver(), ""); }

TEST(ScenarioTest, EvictingAtARevisionJustReadIsSeen) {
  EXPECT_THAT(With(Sabotage::kEvictAtFreshRevision, DeafObserver),
              ::testing::HasSubstr("which may still serve"));
}

// ---- 2

std::string SkippedView() {
  SimOptions options;
  options.placement = cluster::PlacementStrategy::kLocal;
  SimCluster sim(kSeed, options);
  EXPECT_TRUE(sim.Start({"a", "h"}));
  // A grain of a partition that "a" owns and "b" will take over, active on "h".
  GrainId id;
  cluster::View with_b = *sim.node("a").membership().view();
  cluster::Member b = with_b.members.front();
  b.node_id = "b";
  with_b.members.push_back(b);
  for (int i = 0; id.key.empty() || sim.OwnerOf(id) != "a" ||
                  cluster::OwnerOf(cluster::PartitionOf(id, with_b), with_b)->node_id != "b";
       ++i) {
    id = GrainId("sim", std::to_string(i));
  }
  EXPECT_TRUE(sim.AskFrom("h", id).ok());
  EXPECT_EQ(sim.Where(id), "h");

  // "b" comes and goes without "a" learning of any view in between; meanwhile the grain ends, which
  // "h" tells the owner of that time.
  sim.store().Deafen("a", true);
  sim.store().ServeStaleReads("a", true);
  sim.net().Cut("h", "a");
  sim.net().Cut("b", "a");
  sim.Boot("b");
  EXPECT_TRUE(sim.RunUntil([&] { return sim.node("b").IsServing(); }, seconds(2)));
  EXPECT_EQ(sim.OwnerOf(id), "b");
  sim.node("h").host().Deactivate(id);
  EXPECT_TRUE(
      sim.RunUntil([&] { return sim.node("h").directory().stats().hosted == 0; }, seconds(1)));
  sim.RunFor(milliseconds(20));
  sim.node("b").Leave();
  EXPECT_TRUE(sim.RunUntil([&] { return sim.node("b").left(); }, seconds(2)));
  sim.Kill("b");
  EXPECT_EQ(sim.OwnerOf(id), "a");

  sim.HealAll();
  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, AnOwnerThatSkippedAViewRebuilds) { EXPECT_EQ(SkippedView(), ""); }

TEST(ScenarioTest, OwningOnAcrossASkippedViewIsSeen) {
  EXPECT_THAT(With(Sabotage::kOwnAcrossSkippedView, SkippedView),
              ::testing::HasSubstr("an entry without activation"));
}

// ---- 3

std::string OldOrder() {
  SimOptions options;
  options.placement = cluster::PlacementStrategy::kLocal;
  SimCluster sim(kSeed, options);
  EXPECT_TRUE(sim.Start({"a", "h"}));
  GrainId id;
  cluster::View with_b = *sim.node("a").membership().view();
  cluster::Member b = with_b.members.front();
  b.node_id = "b";
  with_b.members.push_back(b);
  for (int i = 0; id.key.empty() || sim.OwnerOf(id) != "a" ||
                  cluster::OwnerOf(cluster::PartitionOf(id, with_b), with_b)->node_id != "b";
       ++i) {
    id = GrainId("sim", std::to_string(i));
  }

  // "a" orders the grain on "h" under the old view; the order is stuck on the way.
  sim.net().Hold("h", kActivateRequest);
  EXPECT_FALSE(sim.AskFrom("h", id, milliseconds(300)).ok());
  EXPECT_EQ(sim.net().held(), 1u);
  // The partition moves to "b", to which "h" reports that it has no such activation.
  sim.Boot("b");
  EXPECT_TRUE(sim.RunUntil([&] { return sim.WhyNotQuiet().empty(); }, seconds(2)));
  EXPECT_EQ(sim.OwnerOf(id), "b");
  // Now the order arrives, and then somebody calls.
  sim.net().Release();
  sim.RunFor(milliseconds(500));
  EXPECT_TRUE(sim.AskFrom("b", id).ok());

  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, AnOrderOfAnOldViewIsRefusedAfterTheReport) { EXPECT_EQ(OldOrder(), ""); }

TEST(ScenarioTest, AcceptingAnOldOrderIsSeen) {
  EXPECT_THAT(With(Sabotage::kAcceptOldOrders, OldOrder), ::testing::HasSubstr("serves elsewhere"));
}

// ---- 4

std::string LateSave(bool blind_saves, uint64_t* refused) {
  SimOptions options;
  options.placement = cluster::PlacementStrategy::kLocal;
  options.blind_saves = blind_saves;
  SimCluster sim(kSeed, options);
  EXPECT_TRUE(sim.Start({"a", "b"}));
  const GrainId id("sim", "x");
  EXPECT_TRUE(sim.AskFrom("a", id).ok());
  EXPECT_EQ(sim.Where(id), "a");

  // "a" cannot renew. Shortly before it fences itself it handles an event, whose save is stuck.
  sim.store().CutOff("a.lease", true);
  sim.RunFor(milliseconds(1350));
  sim.store().Stall("a.state", true);
  sim.node("a").Ask(id, seconds(5), [](const Status&) {});
  sim.RunFor(milliseconds(10));
  // "b" evicts it, claims the state and goes on.
  EXPECT_TRUE(sim.RunUntil([&] { return sim.node("a").membership().view()->members.size() == 1; },
                           seconds(3)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(sim.AskFrom("b", id).ok());
  // Now the save lands.
  sim.store().Stall("a.state", false);
  sim.RunFor(seconds(1));

  *refused = sim.node("a").host().refused_saves();
  sim.HealAll();
  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, ASaveThatLandsAfterTheClaimIsRefused) {
  uint64_t refused = 0;

  EXPECT_EQ(LateSave(false, &refused), "");

  EXPECT_EQ(refused, 1u);
}

TEST(ScenarioTest, ASaveThatDoesNotCompareIsSeen) {
  uint64_t refused = 0;
  EXPECT_THAT(LateSave(true, &refused), ::testing::HasSubstr("events acknowledged"));
}

// ---- 5

std::string ReactivatedInOneView() {
  SimOptions options;
  options.placement = cluster::PlacementStrategy::kLocal;
  options.net.repeat = 1;
  SimCluster sim(kSeed, options);
  EXPECT_TRUE(sim.Start({"a", "b", "c"}));
  sim.RunFor(seconds(2));
  const GrainId id = sim.GrainOwnedBy("c");
  const uint64_t version = sim.node("a").membership().view()->version;

  // Active on "a", passivated, active again on "b", all in one view. Every call is delivered a
  // second time a second later: the order to "a" when the activation there has ended.
  EXPECT_TRUE(sim.AskFrom("a", id).ok());
  EXPECT_EQ(sim.Where(id), "a");
  sim.node("a").host().Deactivate(id);
  EXPECT_TRUE(
      sim.RunUntil([&] { return sim.node("a").directory().stats().hosted == 0; }, seconds(1)));
  sim.RunFor(milliseconds(1500));
  EXPECT_TRUE(sim.AskFrom("b", id).ok());
  sim.RunFor(seconds(2));

  EXPECT_EQ(sim.node("a").membership().view()->version, version);
  sim.HealAll();
  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, PassivatingAndReactivatingInOneViewRaisesTheEpoch) {
  EXPECT_EQ(ReactivatedInOneView(), "");
}

TEST(ScenarioTest, MintingTheSameEpochAgainIsSeen) {
  EXPECT_THAT(With(Sabotage::kMintSameEpoch, ReactivatedInOneView),
              ::testing::HasSubstr("after one at"));
}

TEST(ScenarioTest, StartingAnEndedActivationAgainIsSeen) {
  EXPECT_THAT(With(Sabotage::kForgetEndedEpochs, ReactivatedInOneView),
              ::testing::HasSubstr("a activates sim/"));
}

// ---- 6

// How the victim's sessions with the others end, whether it is provable, and whom it refuses.
std::string RefusingAddress(remoting::StreamEnd how, bool provable, bool seen_by_all) {
  SimOptions options;
  options.exit_provable = provable;
  SimCluster sim(kSeed, options);
  EXPECT_TRUE(sim.Start({"a", "b", "c"}));
  const remoting::ProcessId victim = sim.node("c").process();

  sim.net().Refuse(sim.node("c").peer().address, true);
  sim.net().EndSession(sim.node("a").process(), victim, how);
  if (seen_by_all) sim.net().EndSession(sim.node("b").process(), victim, how);
  sim.RunFor(seconds(1));

  sim.HealAll();
  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, ARefusingAddressAloneIsNoProofOfExit) {
  EXPECT_EQ(RefusingAddress(remoting::StreamEnd::kTimeout, true, true), "") << "silent sessions";
  EXPECT_EQ(RefusingAddress(remoting::StreamEnd::kReset, true, false), "") << "one witness";
  EXPECT_EQ(RefusingAddress(remoting::StreamEnd::kReset, false, true), "") << "not provable";
}

std::string SilentSessions() { return RefusingAddress(remoting::StreamEnd::kTimeout, true, true); }

TEST(ScenarioTest, TakingARefusalAsProofIsSeen) {
  EXPECT_THAT(With(Sabotage::kRefusalIsExit, SilentSessions),
              ::testing::HasSubstr("which may still serve"));
}

// ---- 7

std::string OverwrittenJoin() {
  SimCluster sim(kSeed);
  EXPECT_TRUE(sim.Start({"a", "b"}));

  // The write that lets "c" in is applied, its answer is lost; before "c" can look, "d" has written
  // the view twice.
  sim.store().NextMutations("c", cluster::EmbeddedFate::kAppliedUnanswered);
  sim.Boot("c");
  EXPECT_TRUE(sim.RunUntil(
      [&] { return sim.node("a").membership().view()->FindNode("c") != nullptr; }, seconds(1)));
  EXPECT_FALSE(sim.node("c").IsServing());
  sim.Boot("d");
  EXPECT_TRUE(sim.RunUntil([&] { return sim.node("d").IsServing(); }, milliseconds(150)));

  sim.RunUntilQuiet();
  return sim.oracles().violations();
}

TEST(ScenarioTest, AJoinThatTimedOutAndWasOverwrittenIsRecognised) {
  EXPECT_EQ(OverwrittenJoin(), "");
}

TEST(ScenarioTest, SettlingAJoinByTheLastWriteAloneIsSeen) {
  EXPECT_THAT(With(Sabotage::kJoinTrustsLastWrite, OverwrittenJoin),
              ::testing::HasSubstr("has c twice"));
}

TEST(ScenarioTest, AJoinerThatWasEvictedBeforeItHeardComesBackAsAnother) {
  SimCluster sim(kSeed);
  ASSERT_TRUE(sim.Start({"a", "b"}));

  sim.store().NextMutations("c", cluster::EmbeddedFate::kAppliedUnanswered);
  const remoting::ProcessId first = sim.Boot("c").process();
  ASSERT_TRUE(sim.RunUntil(
      [&] { return sim.node("a").membership().view()->FindNode("c") != nullptr; }, seconds(1)));
  sim.node("c").Freeze();
  ASSERT_TRUE(sim.RunUntil(
      [&] { return sim.node("a").membership().view()->FindNode("c") == nullptr; }, seconds(4)));
  sim.node("c").Thaw();

  EXPECT_TRUE(sim.RunUntilQuiet());
  EXPECT_NE(sim.node("c").process(), first);
  EXPECT_EQ(sim.oracles().violations(), "");
}

}  // namespace
}  // namespace quern::testing
