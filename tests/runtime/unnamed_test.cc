#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "actor/actor_name.h"
#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "system/system_core.h"

namespace quern {
namespace {

using internal::ActorName;
using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using namespace std::chrono_literals;

struct Where {};
struct Leave {};
struct LeafApi : Protocol<std::string(Where), void(Leave)> {};
struct Leaf : Actor<LeafApi> {
  Leaf() = default;
  explicit Leaf(std::shared_ptr<int> kept) : kept_(std::move(kept)) {}
  std::string On(const Where&, Context& context) { return context.path(); }
  void On(const Leave&, Context& context) { context.Stop(); }
  std::shared_ptr<int> kept_;
};

struct Grow {
  int leaves;
};
struct Named {
  std::string name;
};
struct Children {};
struct Break {};
struct Terminations {};
struct TreeApi : Protocol<std::vector<Ref<LeafApi>>(Grow), StatusOr<Ref<LeafApi>>(Named),
                          std::vector<std::string>(Children), void(Break), int(Terminations)> {};
struct Tree : Actor<TreeApi> {
  explicit Tree(int first = 0) : first_(first) {}
  void OnStart(Context& context) {
    for (int i = 0; i < first_; ++i) context.SpawnUnnamed<Leaf>().value();
  }
  std::vector<Ref<LeafApi>> On(const Grow& m, Context& context) {
    std::vector<Ref<LeafApi>> leaves;
    for (int i = 0; i < m.leaves; ++i) {
      leaves.push_back(context.SpawnUnnamed<Leaf>().value());
      context.Watch(*this, leaves.back()).IgnoreError();
    }
    return leaves;
  }
  StatusOr<Ref<LeafApi>> On(const Named& m, Context& context) {
    return context.Spawn<Leaf>(m.name);
  }
  std::vector<std::string> On(const Children&, Context& context) { return context.children(); }
  void On(const Break&) { throw std::runtime_error("broken"); }
  void On(const Terminated&) { ++terminations_; }
  int On(const Terminations&) { return terminations_; }
  const int first_;
  int terminations_ = 0;
};

class UnnamedTest : public ::testing::Test {
 protected:
  Ref<TreeApi> SpawnTree(int first = 0) {
    auto tree = system_.Spawn<Tree>("tree", first).value();
    system_.WaitUntilQuiet();
    return tree;
  }
  std::vector<std::string> Paths(const ListOptions& options = {}) {
    std::vector<std::string> paths;
    for (const ActorInfo& actor : system_.ListActors(options).actors) paths.push_back(actor.path);
    return paths;
  }

  FakeClock clock_;
  CollectingLogger logger_;
  System system_{{.name = "test", .workers = 2, .clock = &clock_, .logger = &logger_}};
};

TEST_F(UnnamedTest, APathOfItsOwnIsMadeFromItsId) {
  auto one = system_.SpawnUnnamed<Leaf>().value();
  auto two = system_.SpawnUnnamed<Leaf>(std::make_shared<int>(1)).value();

  EXPECT_THAT(one.path(), StartsWith("/$"));
  EXPECT_EQ(one.Ask(Where{}).value(), one.path());
  EXPECT_NE(one.path(), two.path());
}

TEST_F(UnnamedTest, OptionsHoldAsForOthers) {
  SpawnOptions passivates;
  passivates.passivate_after = 1s;

  auto leaf = system_.SpawnUnnamed<Leaf>(passivates).value();
  EXPECT_TRUE(leaf.Ask(Where{}).ok());
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(3s);
  system_.WaitUntilQuiet();

  EXPECT_EQ(leaf.Ask(Where{}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(UnnamedTest, WrongOptionsAndAStoppedSystemAreRefused) {
  SpawnOptions wrong;
  wrong.mailbox = BoundedMailbox(0);

  EXPECT_EQ(system_.SpawnUnnamed<Leaf>(wrong).status().code(), absl::StatusCode::kInvalidArgument);
  system_.Stop();
  EXPECT_EQ(system_.SpawnUnnamed<Leaf>().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(UnnamedTest, NoGivenNameBeginsLikeAGeneratedOne) {
  const Status refused = system_.Spawn<Leaf>("$1").status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("names that begin with '$'"));
  EXPECT_EQ(system_.Spawn<Leaf>("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(system_.Spawn<Leaf>(std::string_view()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(UnnamedTest, IsFoundByItsGeneratedNameWhileItLives) {
  auto leaf = SpawnTree().Ask(Grow{3}).value()[1];

  EXPECT_EQ(system_.Find<LeafApi>(leaf.path()).value().id(), leaf.id());
  EXPECT_EQ(system_.Find<LeafApi>(leaf.path() + "0").status().code(), absl::StatusCode::kNotFound);
  leaf.Tell(Leave{});
  system_.WaitUntilQuiet();
  EXPECT_EQ(system_.Find<LeafApi>(leaf.path()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(UnnamedTest, IsListedAmongNamedSiblingsInTheOrderOfIds) {
  auto tree = SpawnTree();
  const auto leaves = tree.Ask(Grow{70}).value();  // further than one digit more
  ASSERT_TRUE(tree.Ask(Named{"a"}).value().ok());
  ASSERT_TRUE(tree.Ask(Named{"#"}).value().ok());

  const std::vector<std::string> all = Paths({.under = "/tree"});

  ASSERT_THAT(all, SizeIs(72));
  EXPECT_EQ(all.front(), "/tree/#");
  for (size_t i = 0; i < leaves.size(); ++i) EXPECT_EQ(all[i + 1], leaves[i].path());
  EXPECT_EQ(all.back(), "/tree/a");
}

TEST_F(UnnamedTest, PagesMeetWithoutGapAndOverlap) {
  SpawnTree().Ask(Grow{10}).value();
  const std::vector<std::string> all = Paths();

  std::vector<std::string> paged;
  std::string after;
  do {
    const ActorPage page = system_.ListActors({.after = after, .limit = 3});
    for (const ActorInfo& actor : page.actors) paged.push_back(actor.path);
    after = page.next;
  } while (!after.empty());

  EXPECT_EQ(paged, all);
}

TEST_F(UnnamedTest, AParentKnowsItsChildren) {
  auto tree = SpawnTree();
  const auto leaves = tree.Ask(Grow{2}).value();

  const auto names = tree.Ask(Children{}).value();

  EXPECT_EQ((std::set<std::string>(names.begin(), names.end())),
            (std::set<std::string>{leaves[0].path().substr(6), leaves[1].path().substr(6)}));
  leaves[0].Tell(Leave{});
  system_.WaitUntilQuiet();
  EXPECT_THAT(tree.Ask(Children{}).value(), ElementsAre(leaves[1].path().substr(6)));
}

TEST_F(UnnamedTest, WatchersHearOfEachOne) {
  auto tree = SpawnTree();
  const auto leaves = tree.Ask(Grow{100}).value();

  for (const auto& leaf : leaves) leaf.Tell(Leave{});
  system_.WaitUntilQuiet();

  EXPECT_EQ(tree.Ask(Terminations{}).value(), 100);
  EXPECT_THAT(Paths(), ElementsAre("/tree"));
}

TEST_F(UnnamedTest, ThoseOfOnStartAreMadeAnewByARestart) {
  auto tree = SpawnTree(3);
  const std::vector<std::string> before = Paths({.under = "/tree"});
  ASSERT_THAT(before, SizeIs(3));

  tree.Tell(Break{});
  system_.WaitUntilQuiet();
  clock_.AdvanceBy(1s);
  system_.WaitUntilQuiet();

  const std::vector<std::string> after = Paths({.under = "/tree"});
  EXPECT_THAT(after, SizeIs(3));
  for (const std::string& path : after)
    EXPECT_THAT(before, ::testing::Not(::testing::Contains(path)));
}

TEST_F(UnnamedTest, AStopTakesThemAlong) {
  auto tree = SpawnTree();
  const auto leaves = tree.Ask(Grow{1000}).value();

  tree.Stop();
  system_.WaitUntilQuiet();

  EXPECT_THAT(Paths(), IsEmpty());
  for (const auto& leaf : leaves) {
    EXPECT_EQ(leaf.Ask(Where{}).status().code(), absl::StatusCode::kUnavailable);
  }
}

// Their ids are as far apart as their parent's first table is large, so that all want one slot.
TEST_F(UnnamedTest, IdsThatCollideAreToldApart) {
  std::vector<Ref<LeafApi>> leaves;
  for (int i = 0; i < 100; ++i) {
    leaves.push_back(system_.SpawnUnnamed<Leaf>().value());
    for (int skipped = 1; skipped < 16; ++skipped) internal::SystemCore::NextCellId();
  }

  for (size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(system_.Find<LeafApi>(leaves[i].path()).value().id(), leaves[i].id());
    if (i % 3 == 0) leaves[i].Tell(Leave{});
  }
  system_.WaitUntilQuiet();

  for (size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(system_.Find<LeafApi>(leaves[i].path()).ok(), i % 3 != 0);
  }
}

// Children end on one worker while their parent spawns on another, others look for them, and in the
// end everything is stopped in the midst of it.
TEST_F(UnnamedTest, SpawnsEndsLooksAndStopsMeet) {
  for (int round = 0; round < 20; ++round) {
    auto tree = SpawnTree(5);
    std::vector<std::thread> lookers;
    for (int i = 0; i < 2; ++i) {
      lookers.emplace_back([&] {
        for (int look = 0; look < 20; ++look) {
          for (const ActorInfo& actor : system_.ListActors({.under = "/tree"}).actors) {
            if (auto found = system_.Find<LeafApi>(actor.path); found.ok()) found->Tell(Leave{});
          }
        }
      });
    }
    for (int wave = 0; wave < 20; ++wave) {
      const auto leaves = tree.Ask(Grow{20}).value();
      for (const auto& leaf : leaves) leaf.Tell(Leave{});
    }
    tree.Stop();
    for (std::thread& looker : lookers) looker.join();
    system_.WaitUntilQuiet();

    ASSERT_THAT(Paths(), IsEmpty());
  }
}

TEST_F(UnnamedTest, ARefOutlivesItsParentAndStillSaysWhere) {
  Ref<LeafApi> leaf;
  std::string path;
  {
    auto tree = SpawnTree();
    leaf = tree.Ask(Grow{1}).value()[0];
    path = leaf.path();
    tree.Stop();
  }
  system_.WaitUntilQuiet();

  EXPECT_THAT(leaf.path(), StartsWith("/tree/$"));
  EXPECT_THAT(leaf.Ask(Where{}).status().ToString(), HasSubstr(path));
}

TEST_F(UnnamedTest, ArgumentsThatWereKeptGoWithTheActor) {
  auto kept = std::make_shared<int>(1);
  auto leaf = system_.SpawnUnnamed<Leaf>(kept).value();
  system_.WaitUntilQuiet();
  ASSERT_GT(kept.use_count(), 1);

  leaf.Tell(Leave{});
  system_.WaitUntilQuiet();

  EXPECT_EQ(kept.use_count(), 1);  // a Ref is still there
}

TEST(GeneratedNameTest, AnIdIsReadBackFromItsName) {
  for (const uint64_t id :
       {uint64_t{1}, uint64_t{61}, uint64_t{62}, uint64_t{3844}, ~uint64_t{0}}) {
    EXPECT_EQ(ActorName::IdOf(ActorName(id).text()), id) << ActorName(id).text();
  }
  EXPECT_EQ(ActorName(uint64_t{74}).text(), "$1C");
  EXPECT_EQ(ActorName("worker").text(), "worker");
}

TEST(GeneratedNameTest, NothingElseIsAnId) {
  for (const char* name : {"", "$", "$0", "$01", "1", "$1/2", "$-1", "$LygHa16AHYG", "$zzzzzzzzzzz",
                           "$1111111111111111"}) {
    EXPECT_EQ(ActorName::IdOf(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace quern
