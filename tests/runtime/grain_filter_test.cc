#include "quern/runtime/grain_filter.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "grain_test_kit.h"
#include "quern/runtime/fiber_group.h"

namespace quern::testing {
namespace {

using std::chrono::seconds;

// A filter made of two functions.
class Filter : public GrainFilter {
 public:
  using AroundFn = std::function<Status(const GrainCall&, GrainNext)>;
  using BeforeFn = std::function<Status(const GrainCall&)>;
  explicit Filter(AroundFn around, BeforeFn before = nullptr)
      : around_(std::move(around)), before_(std::move(before)) {}

  Status Around(const GrainCall& call, GrainNext next) override {
    return around_ ? around_(call, next) : GrainFilter::Around(call, next);
  }
  Status BeforeSend(const GrainCall& call) override {
    return before_ ? before_(call) : GrainFilter::BeforeSend(call);
  }

 private:
  AroundFn around_;
  BeforeFn before_;
};

std::shared_ptr<GrainFilter> Inbound(Filter::AroundFn around) {
  return std::make_shared<Filter>(std::move(around));
}

std::string Describe(const GrainCall& call) {
  return absl::StrCat(call.grain.ToString(), " ", std::string(call.message), " from ",
                      call.sender.kind.empty() ? (call.sender_id == 0 ? "a thread" : "an actor")
                                               : call.sender.ToString(),
                      call.expects_reply ? ", asks" : ", tells",
                      call.deadline == kNever ? "" : " with a deadline");
}

class GrainFilterTest : public ::testing::Test {
 protected:
  GrainFilterTest() { Scene::current = &scene_; }
  ~GrainFilterTest() override {
    system_.Stop();
    Scene::current = nullptr;
  }

  // Hosted as kind "watched".
  Ref<TallyApi> Watched(GrainFilters filters) {
    EXPECT_TRUE(system_.Host<Tally>({.kind = "watched", .filters = std::move(filters)}).ok());
    return system_.Grain<TallyApi>("a", "watched");
  }
  std::shared_ptr<GrainFilter> Named(std::string name) {
    return Inbound([this, name](const GrainCall&, GrainNext next) {
      journal().Add(name + " in");
      Status ran = next();
      journal().Add(name + " out " + OutcomeOf(ran));
      return ran;
    });
  }
  Journal& journal() { return scene_.journal; }

  Scene scene_;
  ManualClock clock_;
  std::shared_ptr<Filter> outbound_ =
      std::make_shared<Filter>(nullptr, [this](const GrainCall& call) {
        return before_send_ ? before_send_(call) : absl::OkStatus();
      });
  Filter::BeforeFn before_send_;
  System system_{SystemOptions{
      .name = "filters", .workers = 2, .clock = &clock_, .grain_filters = {outbound_}}};
};

TEST_F(GrainFilterTest, FiltersRunAroundTheHandlerTheFirstOutermost) {
  const Ref<TallyApi> grain = Watched({Named("outer"), Named("inner")});

  ASSERT_TRUE(grain.Tell(Note{"handled"}) == Delivery::kAccepted);

  EXPECT_EQ(journal().Await(7),
            "made, activated, outer in, inner in, handled, inner out OK, outer out OK");
}

TEST_F(GrainFilterTest, AFilterSeesWhoCallsWhatAndUntilWhen) {
  Watched({Inbound([&](const GrainCall& call, GrainNext next) {
    journal().Add(Describe(call));
    return next();
  })});
  ASSERT_TRUE(system_.Host<Tally>().ok());
  const Ref<TallyApi> watched = system_.Grain<TallyApi>("p/q", "watched");

  ASSERT_TRUE(watched.Ask(Get{}).ok());
  watched.Tell(Note{"x"});
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal().Text(),
            "made, activated, watched/p/q test.Get from a thread, asks with a deadline, "
            "watched/p/q test.Note from a thread, tells, x");
}

TEST_F(GrainFilterTest, AGrainThatSendsIsNamed) {
  struct Caller : Tally {
    void On(const Peer& m, Context& context) {
      context.Grain<TallyApi>(m.key, "watched").Tell(Note{"hello"});
    }
    using Tally::On;
  };
  Watched({Inbound([&](const GrainCall& call, GrainNext next) {
    journal().Add(Describe(call));
    return next();
  })});
  ASSERT_TRUE(system_.Host<Caller>({.kind = "caller"}).ok());

  system_.Grain<TallyApi>("me", "caller").Tell(Peer{"a"});

  EXPECT_EQ(journal().Await(6),
            "made, activated, made, activated, watched/a test.Note from caller/me, tells, hello");
}

struct PipeIt {
  Ref<TallyApi> to;
};
struct PiperApi : Protocol<void(PipeIt)> {};
struct Piper : Actor<PiperApi> {
  void On(const PipeIt& m, Context& context) {
    auto work = []() -> StatusOr<int> { return 1; };
    auto told = [](const StatusOr<int>&) { return Note{"piped"}; };
    EXPECT_TRUE(context.PipeTo(m.to, work, told).ok());
  }
};

TEST_F(GrainFilterTest, TheResultOfAPipePassesTheFilters) {
  const Ref<TallyApi> grain = Watched({Inbound([&](const GrainCall& call, GrainNext next) {
    journal().Add(Describe(call));
    return next();
  })});

  system_.Spawn<Piper>("piper").value().Tell(PipeIt{grain});

  EXPECT_EQ(journal().Await(4), "made, activated, watched/a test.Note from an actor, tells, piped");
}

TEST_F(GrainFilterTest, AFilterMayRefuseAnAskAndATell) {
  const Ref<TallyApi> grain = Watched({Named("outer"), Inbound([](const GrainCall&, GrainNext) {
                                         return absl::PermissionDeniedError("not you");
                                       })});

  EXPECT_EQ(grain.Ask(Get{}).status(), absl::PermissionDeniedError("not you"));
  grain.Tell(Note{"never"});
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal().Text(),
            "made, activated, outer in, outer out PERMISSION_DENIED, outer in, outer out "
            "PERMISSION_DENIED");
  EXPECT_EQ(system_.dead_letters(), 1u);
}

TEST_F(GrainFilterTest, OneThatForgetsToGoOnAnswersThatNobodyDid) {
  const Ref<TallyApi> grain =
      Watched({Inbound([](const GrainCall&, GrainNext) { return absl::OkStatus(); })});

  EXPECT_EQ(OutcomeOf(grain.Ask(Get{})), "ABORTED");
}

TEST_F(GrainFilterTest, OneThatThrowsIsContainedBeforeAndAfterTheHandler) {
  bool after = false;
  const Ref<TallyApi> grain = Watched({Inbound([&](const GrainCall&, GrainNext next) -> Status {
    if (after) (void)next();
    throw std::runtime_error("bad filter");
  })});

  const Status before_handler = grain.Ask(Get{}).status();
  after = true;
  const StatusOr<int64_t> behind_handler = grain.Ask(Add{4});

  EXPECT_EQ(before_handler, absl::UnknownError("a filter of watched threw: bad filter"));
  EXPECT_EQ(behind_handler.value(), 4) << "it had been answered";
  system_.WaitUntilQuiet();
  EXPECT_EQ(journal().Text(), "made, activated") << "the grain stays";
}

TEST_F(GrainFilterTest, AHandlerThatThrowsIsSeenAndStillEndsTheActivation) {
  const Ref<TallyApi> grain = Watched({Named("filter")});

  EXPECT_EQ(OutcomeOf(Status(grain.Ask(Throw{}))), "UNKNOWN");

  EXPECT_EQ(journal().Await(6),
            "made, activated, filter in, filter out UNKNOWN, deactivated UNKNOWN, destroyed");
}

TEST_F(GrainFilterTest, TheHandlerRunsOnceHoweverOftenAFilterGoesOn) {
  Status second;
  const Ref<TallyApi> grain = Watched({Inbound([&](const GrainCall&, GrainNext next) {
    Status first = next();
    second = next();
    return first;
  })});

  EXPECT_EQ(grain.Ask(Add{4}).value(), 4);
  system_.WaitUntilQuiet();

  EXPECT_EQ(OutcomeOf(second), "FAILED_PRECONDITION");
  EXPECT_EQ(grain.Ask(Get{}).value(), 4);
  system_.WaitUntilQuiet();  // the filter goes on behind the answer
}

TEST_F(GrainFilterTest, AFilterMayWaitAndMeasureOnTheClock) {
  Duration took = Duration::zero();
  const Ref<TallyApi> grain = Watched({Inbound([&](const GrainCall&, GrainNext next) {
    const Time begun = clock_.Now();
    (void)SleepFor(seconds(3));
    const Status ran = next();
    took = clock_.Now() - begun;
    return ran;
  })});
  grain.Tell(Note{"slow"});
  journal().Await(2);
  system_.WaitUntilQuiet();

  clock_.Advance(seconds(3));
  journal().Await(3);
  system_.WaitUntilQuiet();

  EXPECT_EQ(took, seconds(3));
}

TEST_F(GrainFilterTest, TicksOfTimersPassByTheFilters) {
  struct Ticking : Tally {
    Status OnActivate() override {
      After(seconds(1), Note{"tick"});
      return absl::OkStatus();
    }
  };
  ASSERT_TRUE(system_.Host<Ticking>({.kind = "ticking", .filters = {Named("filter")}}).ok());
  ASSERT_TRUE(system_.Grain<TallyApi>("a", "ticking").Ask(Get{}).ok());
  system_.WaitUntilQuiet();
  clock_.Advance(seconds(1));

  EXPECT_EQ(journal().Await(4), "made, filter in, filter out OK, tick");
}

TEST_F(GrainFilterTest, ACallerIsAskedBeforeAMessageLeaves) {
  ASSERT_TRUE(system_.Host<Tally>().ok());
  before_send_ = [&](const GrainCall& call) {
    journal().Add(Describe(call));
    return call.grain.key == "closed" ? absl::ResourceExhaustedError("too many calls")
                                      : absl::OkStatus();
  };
  const Ref<TallyApi> closed = system_.Grain<TallyApi>("closed");

  EXPECT_EQ(closed.Ask(Get{}).status(), absl::ResourceExhaustedError("too many calls"));
  EXPECT_EQ(closed.Tell(Get{}), Delivery::kUnreachable);
  EXPECT_TRUE(system_.Grain<TallyApi>("open").Ask(Get{}).ok());

  EXPECT_EQ(journal().Text(),
            "tally/closed test.Get from a thread, asks with a deadline, tally/closed test.Get from "
            "a thread, tells, tally/open test.Get from a thread, asks with a deadline, made, "
            "activated");
  EXPECT_EQ(system_.dead_letters(), 1u);
  before_send_ = [](const GrainCall&) -> Status { throw std::runtime_error("bad"); };
  EXPECT_EQ(closed.Ask(Get{}).status(), absl::UnknownError("a filter of calls threw: bad"));
}

struct Thrice {
  Ref<TallyApi> to;
};
struct CallerApi : Protocol<void(Thrice)> {};
struct Caller : Actor<CallerApi> {
  void On(const Thrice& m) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(m.to.Ask(Get{}).ok());
  }
};

TEST_F(GrainFilterTest, ACallerIsAskedBeforeEveryMessageOfARefThatItKeeps) {
  ASSERT_TRUE(system_.Host<Tally>().ok());
  before_send_ = [&](const GrainCall& call) {
    journal().Add(call.grain.ToString());
    return absl::OkStatus();
  };

  system_.Spawn<Caller>("caller").value().Tell(Thrice{system_.Grain<TallyApi>("a")});
  system_.WaitUntilQuiet();

  EXPECT_EQ(journal().Text(), "tally/a, made, activated, tally/a, tally/a");
}

TEST_F(GrainFilterTest, ANullFilterIsRefusedWhereTheKindIsHosted) {
  EXPECT_EQ(OutcomeOf(system_.Host<Tally>({.kind = "x", .filters = {nullptr}})),
            "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace quern::testing
