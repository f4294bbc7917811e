#include "quern/cluster/tethered_control_plane.h"

#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace quern::cluster {
namespace {

// Keeps what it was asked, and answers when told.
class HeldPlane : public ControlPlane {
 public:
  void Get(Table, std::string_view, Duration, GetCallback done) override {
    gets.push_back(std::move(done));
  }
  void Create(Table, std::string_view, std::string, Duration, CasCallback done) override {
    changes.push_back(std::move(done));
  }
  void Update(Table, std::string_view, std::string, uint64_t, Duration, CasCallback done) override {
    changes.push_back(std::move(done));
  }
  void Delete(Table, std::string_view, uint64_t, Duration, CasCallback done) override {
    changes.push_back(std::move(done));
  }
  void List(Table, std::string_view, Duration, ListCallback done) override {
    lists.push_back(std::move(done));
  }
  std::unique_ptr<WatchHandle> Watch(Table, std::string_view, WatchCallback on_event) override {
    watches.push_back(std::move(on_event));
    return std::make_unique<WatchHandle>();
  }

  size_t asked() const { return gets.size() + changes.size() + lists.size() + watches.size(); }
  void AnswerAll() {
    const Record record{"k", "v", 7};
    for (auto& done : gets) done(record);
    for (auto& done : changes) done({CasOutcome::kApplied, record.revision, ""});
    for (auto& done : lists) done(std::vector<Record>{record});
    for (auto& on_event : watches) on_event({WatchEvent::Kind::kInitialDone, record});
  }

  std::vector<GetCallback> gets;
  std::vector<CasCallback> changes;
  std::vector<ListCallback> lists;
  std::vector<WatchCallback> watches;
};

// One of each operation; `answers` counts what came back as it was sent.
std::unique_ptr<WatchHandle> UseAll(ControlPlane& plane, int* answers) {
  const auto changed = [answers](const CasResult& r) {
    if (r.outcome == CasOutcome::kApplied && r.revision == 7) ++*answers;
  };
  plane.Get(Table::kControl, "k", Duration(1), [answers](const StatusOr<Record>& record) {
    if (record.ok() && record->key == "k") ++*answers;
  });
  plane.Create(Table::kControl, "k", "v", Duration(1), changed);
  plane.Update(Table::kControl, "k", "v", 1, Duration(1), changed);
  plane.Delete(Table::kControl, "k", 1, Duration(1), changed);
  plane.List(Table::kControl, "k", Duration(1),
             [answers](const StatusOr<std::vector<Record>>& records) {
               if (records.ok() && records->size() == 1) ++*answers;
             });
  return plane.Watch(Table::kControl, "k", [answers](const WatchEvent& event) {
    if (event.kind == WatchEvent::Kind::kInitialDone) ++*answers;
  });
}

TEST(TetheredControlPlaneTest, PassesEveryOperationAndItsAnswer) {
  HeldPlane plane;
  TetheredControlPlane tethered(plane);
  int answers = 0;

  const auto watch = UseAll(tethered, &answers);
  plane.AnswerAll();

  EXPECT_EQ(answers, 6);
}

TEST(TetheredControlPlaneTest, AnswersAfterItsEndReachNobody) {
  HeldPlane plane;
  int answers = 0;
  {
    TetheredControlPlane tethered(plane);
    const auto watch = UseAll(tethered, &answers);
  }

  plane.AnswerAll();

  EXPECT_EQ(answers, 0);
}

TEST(TetheredControlPlaneTest, OnceCutItAsksNothing) {
  HeldPlane plane;
  TetheredControlPlane tethered(plane);
  tethered.Cut();
  int answers = 0;

  const auto watch = UseAll(tethered, &answers);

  EXPECT_NE(watch, nullptr);
  EXPECT_EQ(plane.asked(), 0u);
}

}  // namespace
}  // namespace quern::cluster
