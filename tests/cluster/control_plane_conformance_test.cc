#include "control_plane_conformance.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace quern::cluster {
namespace {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ControlPlaneConformance);

std::string AllBytes() {
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes.push_back(static_cast<char>(b));
  return bytes;
}

TEST_P(ControlPlaneConformance, WhatWasCreatedCanBeRead) {
  Calls calls(*plane_);

  const CasResult created = calls.Create("c.1.view.main", "one");

  EXPECT_STREQ(Name(created.outcome), "applied") << created.detail;
  EXPECT_GT(created.revision, 0u);
  const auto read = calls.Get("c.1.view.main");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->key, "c.1.view.main");
  EXPECT_EQ(read->value, "one");
  EXPECT_EQ(read->revision, created.revision);
}

TEST_P(ControlPlaneConformance, WhatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Calls(*plane_).Get("c.1.view.main").status()));
}

TEST_P(ControlPlaneConformance, CreateOverARecordIsRefusedAndChangesNothing) {
  Calls calls(*plane_);
  calls.Create("c.a", "first");

  EXPECT_STREQ(Name(calls.Create("c.a", "second").outcome), "refused");

  EXPECT_EQ(calls.Get("c.a")->value, "first");
}

TEST_P(ControlPlaneConformance, UpdateAtTheRevisionIsAppliedAndRaisesIt) {
  Calls calls(*plane_);
  const CasResult created = calls.Create("c.a", "first");

  const CasResult updated = calls.Update("c.a", "second", created.revision);

  EXPECT_STREQ(Name(updated.outcome), "applied") << updated.detail;
  EXPECT_GT(updated.revision, created.revision);
  EXPECT_EQ(calls.Get("c.a")->value, "second");
  EXPECT_EQ(calls.Get("c.a")->revision, updated.revision);
}

TEST_P(ControlPlaneConformance, UpdateAtAnyOtherRevisionIsRefusedAndChangesNothing) {
  Calls calls(*plane_);
  const CasResult created = calls.Create("c.a", "first");
  const CasResult updated = calls.Update("c.a", "second", created.revision);

  EXPECT_STREQ(Name(calls.Update("c.a", "x", created.revision).outcome), "refused");
  EXPECT_STREQ(Name(calls.Update("c.a", "x", updated.revision + 1).outcome), "refused");
  EXPECT_STREQ(Name(calls.Update("c.a", "x", 0).outcome), "refused");

  EXPECT_EQ(calls.Get("c.a")->value, "second");
}

TEST_P(ControlPlaneConformance, UpdateOfWhatIsNotThereIsRefused) {
  Calls calls(*plane_);

  EXPECT_STREQ(Name(calls.Update("c.a", "x", 1).outcome), "refused");
  EXPECT_STREQ(Name(calls.Update("c.a", "x", 0).outcome), "refused");

  EXPECT_TRUE(absl::IsNotFound(calls.Get("c.a").status()));
}

TEST_P(ControlPlaneConformance, DeleteAtTheRevisionLeavesNothingToRead) {
  Calls calls(*plane_);
  const CasResult created = calls.Create("c.a", "first");

  EXPECT_STREQ(Name(calls.Delete("c.a", created.revision + 1).outcome), "refused");
  EXPECT_EQ(calls.Get("c.a")->value, "first");
  const CasResult deleted = calls.Delete("c.a", created.revision);

  EXPECT_STREQ(Name(deleted.outcome), "applied") << deleted.detail;
  EXPECT_GT(deleted.revision, created.revision);
  EXPECT_TRUE(absl::IsNotFound(calls.Get("c.a").status()));
  EXPECT_STREQ(Name(calls.Delete("c.a", created.revision).outcome), "refused");
}

TEST_P(ControlPlaneConformance, CreateAfterDeleteIsANewRecordThatOldRevisionsCannotTouch) {
  Calls calls(*plane_);
  const CasResult created = calls.Create("c.a", "first");
  const CasResult deleted = calls.Delete("c.a", created.revision);

  const CasResult again = calls.Create("c.a", "second");

  EXPECT_STREQ(Name(again.outcome), "applied") << again.detail;
  EXPECT_GT(again.revision, deleted.revision);
  EXPECT_STREQ(Name(calls.Update("c.a", "x", created.revision).outcome), "refused");
  EXPECT_STREQ(Name(calls.Update("c.a", "x", deleted.revision).outcome), "refused");
  EXPECT_STREQ(Name(calls.Create("c.a", "x").outcome), "refused");
  EXPECT_EQ(calls.Get("c.a")->value, "second");
}

TEST_P(ControlPlaneConformance, AnyBytesAreAValue) {
  Calls calls(*plane_);

  const CasResult all = calls.Create("c.all", AllBytes());
  const CasResult none = calls.Create("c.none", "");
  const CasResult large = calls.Create("c.large", std::string(200'000, 'x'));

  EXPECT_STREQ(Name(all.outcome), "applied") << all.detail;
  EXPECT_STREQ(Name(none.outcome), "applied") << none.detail;
  EXPECT_STREQ(Name(large.outcome), "applied") << large.detail;
  EXPECT_EQ(calls.Get("c.all")->value, AllBytes());
  EXPECT_EQ(calls.Get("c.none")->value, "");
  EXPECT_EQ(calls.Get("c.large")->value, std::string(200'000, 'x'));
}

TEST_P(ControlPlaneConformance, AnyBytesEscapedAreAKey) {
  Calls calls(*plane_);
  const std::string key = "c." + EscapeKeyToken(AllBytes()) + "." + EscapeKeyToken("");

  const CasResult created = calls.Create(key, "here");

  EXPECT_STREQ(Name(created.outcome), "applied") << created.detail;
  EXPECT_EQ(calls.Get(key)->value, "here");
  EXPECT_EQ(calls.List("c"), key + "=here");
}

TEST_P(ControlPlaneConformance, AKeyThatIsNotEscapedIsNotSent) {
  Calls calls(*plane_);

  for (const char* key : {"", ".", "c.", ".c", "c..d", "c.*", "c.>", "c d", "c/\r\n"}) {
    EXPECT_STREQ(Name(calls.Create(key, "x").outcome), "unsent") << key;
    EXPECT_STREQ(Name(calls.Update(key, "x", 1).outcome), "unsent") << key;
    EXPECT_STREQ(Name(calls.Delete(key, 1).outcome), "unsent") << key;
    EXPECT_TRUE(absl::IsInvalidArgument(calls.Get(key).status())) << key;
  }
}

TEST_P(ControlPlaneConformance, TablesAreApart) {
  Calls calls(*plane_);
  const CasResult control = calls.Create("c.a", "control", Table::kControl);
  const CasResult lease = calls.Create("c.a", "lease", Table::kLease);
  const CasResult state = calls.Create("c.a", "state", Table::kState);

  calls.Delete("c.a", lease.revision, Table::kLease);

  EXPECT_STREQ(Name(control.outcome), "applied");
  EXPECT_STREQ(Name(state.outcome), "applied");
  EXPECT_EQ(calls.Get("c.a", Table::kControl)->value, "control");
  EXPECT_TRUE(absl::IsNotFound(calls.Get("c.a", Table::kLease).status()));
  EXPECT_EQ(calls.Get("c.a", Table::kState)->value, "state");
}

TEST_P(ControlPlaneConformance, ListTakesWholeTokensAndLeavesOutTheDeleted) {
  Calls calls(*plane_);
  for (const char* key : {"c.1.lease.a", "c.1.lease.b", "c.1.lease", "c.1.leases.c", "c.2.lease.d"})
    calls.Create(key, "v");
  calls.Delete("c.1.lease.b", calls.Get("c.1.lease.b")->revision);

  EXPECT_EQ(calls.List("c.1.lease"), "c.1.lease=v c.1.lease.a=v");
  EXPECT_EQ(calls.List("c.1.lease."), "c.1.lease=v c.1.lease.a=v");
  EXPECT_EQ(calls.List("c.2"), "c.2.lease.d=v");
  EXPECT_EQ(calls.List("nothing"), "");
  EXPECT_EQ(calls.List(""), "c.1.lease=v c.1.lease.a=v c.1.leases.c=v c.2.lease.d=v");
}

TEST_P(ControlPlaneConformance, OfConcurrentCreatesExactlyOneWins) {
  const auto other = harness_->Connect();
  constexpr int kTries = 40;
  std::vector<std::future<CasResult>> results;
  for (int i = 0; i < kTries; ++i) {
    auto promise = std::make_shared<std::promise<CasResult>>();
    results.push_back(promise->get_future());
    ControlPlane& plane = i % 2 == 0 ? *plane_ : *other;
    plane.Create(Table::kControl, "c.a", std::to_string(i), kTimeout,
                 [promise](CasResult r) { promise->set_value(std::move(r)); });
  }

  std::string winner;
  int applied = 0;
  for (int i = 0; i < kTries; ++i) {
    const CasResult result = results[static_cast<size_t>(i)].get();
    if (result.outcome == CasOutcome::kApplied) {
      ++applied;
      winner = std::to_string(i);
    } else {
      EXPECT_STREQ(Name(result.outcome), "refused") << result.detail;
    }
  }

  EXPECT_EQ(applied, 1);
  EXPECT_EQ(Calls(*plane_).Get("c.a")->value, winner);
}

// Each client reads, adds one and updates until it has been applied `rounds` times.
class Incrementer {
 public:
  Incrementer(ControlPlane& plane, int rounds) : plane_(plane), left_(rounds) { Read(); }
  void Wait() { finished_.get_future().wait(); }

 private:
  void Read() {
    plane_.Get(Table::kControl, "c.sum", std::chrono::seconds(10), [this](StatusOr<Record> read) {
      if (!read.ok()) return Read();
      plane_.Update(Table::kControl, "c.sum", std::to_string(std::stoi(read->value) + 1),
                    read->revision, std::chrono::seconds(10), [this](CasResult result) {
                      if (result.outcome == CasOutcome::kApplied && --left_ == 0) {
                        return finished_.set_value();
                      }
                      Read();
                    });
    });
  }

  ControlPlane& plane_;
  int left_;
  std::promise<void> finished_;
};

TEST_P(ControlPlaneConformance, ASumKeptByCompareAndSetIsExact) {
  const auto other = harness_->Connect();
  Calls(*plane_).Create("c.sum", "0");

  std::vector<std::unique_ptr<Incrementer>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<Incrementer>(i % 2 == 0 ? *plane_ : *other, 25));
  }
  for (const auto& client : clients) client->Wait();

  EXPECT_EQ(Calls(*plane_).Get("c.sum")->value, "150");
}

TEST_P(ControlPlaneConformance, ManyInFlightAreAllAppliedAtRevisionsOfTheirOwn) {
  constexpr int kRecords = 2000;
  std::vector<std::future<CasResult>> results;
  for (int i = 0; i < kRecords; ++i) {
    auto promise = std::make_shared<std::promise<CasResult>>();
    results.push_back(promise->get_future());
    plane_->Create(Table::kState, "c.state.k." + std::to_string(i), "v" + std::to_string(i),
                   kTimeout, [promise](CasResult r) { promise->set_value(std::move(r)); });
  }

  std::set<uint64_t> revisions;
  for (auto& result : results) {
    const CasResult r = result.get();
    ASSERT_STREQ(Name(r.outcome), "applied") << r.detail;
    revisions.insert(r.revision);
  }

  EXPECT_EQ(revisions.size(), static_cast<size_t>(kRecords));
  const auto listed = AwaitResult<StatusOr<std::vector<Record>>>(
      [&](auto done) { plane_->List(Table::kState, "c.state", kTimeout, done); });
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->size(), static_cast<size_t>(kRecords));
}

TEST_P(ControlPlaneConformance, AWatchShowsWhatIsThereThenWhatChanges) {
  Calls calls(*plane_);
  calls.Create("c.1.lease.a", "1");
  calls.Create("c.1.other.a", "1");
  const auto observer = harness_->Connect();
  WatchLog log;
  const auto watch = observer->Watch(Table::kControl, "c.1.lease", log.callback());
  ASSERT_TRUE(log.Await("done"));

  calls.Create("c.1.lease.b", "1");
  calls.Create("c.1.leases.c", "1");
  const CasResult updated = calls.Update("c.1.lease.a", "2", calls.Get("c.1.lease.a")->revision);
  calls.Delete("c.1.lease.a", updated.revision);
  ASSERT_TRUE(log.Await("deleted c.1.lease.a"));

  EXPECT_EQ(log.Text(),
            "put c.1.lease.a=1; done; put c.1.lease.b=1; put c.1.lease.a=2; deleted c.1.lease.a");
  EXPECT_TRUE(log.revisions_never_fell());
}

TEST_P(ControlPlaneConformance, AWatchOfNothingIsDoneAtOnce) {
  WatchLog log;

  const auto watch = plane_->Watch(Table::kLease, "c.1.lease", log.callback());

  ASSERT_TRUE(log.Await("done"));
  EXPECT_EQ(log.Text(), "done");
}

TEST_P(ControlPlaneConformance, ARefusedWriteIsNotSeenByAWatch) {
  Calls calls(*plane_);
  calls.Create("c.a", "1");
  WatchLog log;
  const auto watch = plane_->Watch(Table::kControl, "c", log.callback());
  ASSERT_TRUE(log.Await("done"));

  calls.Create("c.a", "refused");
  calls.Create("c.b", "1");

  ASSERT_TRUE(log.Await("put c.b=1"));
  EXPECT_EQ(log.Text(), "put c.a=1; done; put c.b=1");
}

TEST_P(ControlPlaneConformance, AWatchEndsUpWithTheLastValueOfEveryKeyOfABurst) {
  Calls calls(*plane_);
  const auto observer = harness_->Connect();
  WatchLog log;
  const auto watch = observer->Watch(Table::kControl, "c", log.callback());
  std::map<std::string, std::string> expected;

  for (int i = 0; i < 20; ++i) {
    const std::string key = "c.k" + std::to_string(i);
    uint64_t revision = calls.Create(key, "0").revision;
    for (int n = 1; n <= 5; ++n) {
      revision = calls.Update(key, std::to_string(n), revision).revision;
    }
    expected[key] = "5";
  }

  for (const auto& [key, value] : expected) ASSERT_TRUE(log.AwaitValue(key, value)) << log.Text();
  EXPECT_EQ(log.values(), expected);
  EXPECT_TRUE(log.revisions_never_fell());
}

TEST_P(ControlPlaneConformance, NoEventAfterTheWatchHasEnded) {
  Calls calls(*plane_);
  WatchLog ended;
  WatchLog other;
  auto watch = plane_->Watch(Table::kControl, "c", ended.callback());
  const auto witness = plane_->Watch(Table::kControl, "c", other.callback());
  ASSERT_TRUE(ended.Await("done") && other.Await("done"));

  watch.reset();
  calls.Create("c.a", "1");

  ASSERT_TRUE(other.Await("put c.a=1"));
  EXPECT_EQ(ended.Text(), "done");
}

TEST_P(ControlPlaneConformance, AWatchMayEndItselfFromItsCallback) {
  Calls calls(*plane_);
  std::promise<void> ended;
  std::promise<std::unique_ptr<WatchHandle>> handed;
  std::future<std::unique_ptr<WatchHandle>> handle = handed.get_future();
  bool once = false;
  auto watch = plane_->Watch(Table::kControl, "c", [&](const WatchEvent& event) {
    if (event.kind != WatchEvent::Kind::kPut || std::exchange(once, true)) return;
    handle.get().reset();
    ended.set_value();
  });
  handed.set_value(std::move(watch));

  calls.Create("c.a", "1");

  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_P(ControlPlaneConformance, AfterAnInterruptionAWatchReportsAGapAndWhatIsThereNow) {
  Calls calls(*plane_);
  calls.Create("c.a", "1");
  WatchLog log;
  const auto watch = plane_->Watch(Table::kControl, "c", log.callback());
  ASSERT_TRUE(log.Await("done"));

  harness_->Interrupt();
  ASSERT_TRUE(log.Await("done", 2)) << log.Text();

  EXPECT_EQ(log.Text(), "put c.a=1; done; gap; put c.a=1; done");
  const CasResult created = calls.Create("c.b", "1");
  EXPECT_STREQ(Name(created.outcome), "applied") << created.detail;
  EXPECT_TRUE(log.Await("put c.b=1"));
}

TEST_P(ControlPlaneConformance, EveryCallIsAnsweredOnceAlsoWhenThePlaneGoes) {
  constexpr int kCalls = 300;
  std::atomic<int> answers{0};
  std::atomic<int> cancelled{0};
  const auto counted = [&](const Status& status) {
    ++answers;
    if (absl::IsCancelled(status)) ++cancelled;
  };
  for (int i = 0; i < kCalls; ++i) {
    const std::string key = "c.k" + std::to_string(i);
    plane_->Create(Table::kControl, key, "v", kTimeout, [&](const CasResult&) { ++answers; });
    plane_->Get(Table::kControl, key, kTimeout, [&](StatusOr<Record> r) { counted(r.status()); });
    plane_->List(Table::kControl, key, kTimeout,
                 [&](StatusOr<std::vector<Record>> r) { counted(r.status()); });
  }

  plane_.reset();

  EXPECT_EQ(answers, 3 * kCalls);
}

TEST_P(ControlPlaneConformance, ThePlaneGoesOnlyAfterACallbackThatRunsHasReturned) {
  std::promise<void> entered;
  std::atomic<bool> leaving{false};
  std::atomic<bool> returned{false};
  plane_->Get(Table::kControl, "c.a", kTimeout, [&](StatusOr<Record>) {
    entered.set_value();
    while (!leaving) std::this_thread::yield();
    returned = true;
  });
  entered.get_future().wait();

  std::thread let_it_go([&] { leaving = true; });
  plane_.reset();

  EXPECT_TRUE(returned);
  let_it_go.join();
}

}  // namespace
}  // namespace quern::cluster
