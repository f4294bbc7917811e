// What the tests of reentrant grains share: a grain that does what it is told, and somebody to wait
// for.

#ifndef QUERN_TESTS_RUNTIME_GRAIN_REENTRANCY_KIT_H_
#define QUERN_TESTS_RUNTIME_GRAIN_REENTRANCY_KIT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <absl/strings/str_cat.h>

#include "grain_test_kit.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern::testing {

class Doer;

struct Do {  // stays in the process
  std::function<StatusOr<int64_t>(Doer&, Context&)> body;
};
struct DoerApi : Protocol<int64_t(Do), void(Note)> {
  static constexpr std::string_view kKind = "doer";
};

struct Nap {
  int64_t number = 0;
  Duration how_long{};
};
struct NapApi : Protocol<int64_t(Nap)> {};

}  // namespace quern::testing

namespace quern {
template <>
struct Codec<testing::Do> : EmptyCodec<testing::Do> {
  static constexpr std::string_view kName = "test.Do";
};
}  // namespace quern

namespace quern::testing {

class Doer : public Grain<DoerApi> {
 public:
  explicit Doer(Scene* scene) : scene_(scene) { Write("made"); }
  ~Doer() override { Write("destroyed"); }
  Status OnActivate() override {
    return scene_->on_activate ? scene_->on_activate() : absl::OkStatus();
  }
  void OnDeactivate(const Status& why) override {
    Write("deactivated " + absl::StatusCodeToString(why.code()));
    if (scene_->on_deactivate) scene_->on_deactivate(why);
  }
  StatusOr<int64_t> On(const Do& m, Context& context) { return m.body(*this, context); }
  void On(const Note& m) { Write(m.text); }

  using Grain::Cron;
  using Grain::DeactivateSoon;
  using Grain::Every;
  void Write(std::string line) { scene_->journal.Add(std::move(line)); }

  State<int64_t> total{this};

 private:
  Scene* const scene_;
};

struct Napper : Actor<NapApi> {
  StatusOr<int64_t> On(const Nap& m, Context& context) {
    if (Status slept = context.Sleep(m.how_long); !slept.ok()) return slept;
    return m.number;
  }
};

class ReentrantGrains : public ::testing::Test {
 protected:
  ~ReentrantGrains() override { system_.Stop(); }

  Ref<DoerApi> Hosted(Reentrancy reentrancy, GrainOptions options = {}, const char* key = "a") {
    options.reentrancy = reentrancy;
    if (options.kind.empty()) options.kind = absl::StrCat("doer", ++kinds_);
    const std::string kind = options.kind;
    EXPECT_TRUE(system_.Host<Doer>(std::move(options), &scene_).ok());
    return system_.Grain<DoerApi>(key, kind);
  }
  void Pass(Duration time) {
    constexpr Duration kStep = std::chrono::milliseconds(10);
    for (Duration passed{}; passed < time; passed += kStep) {
      system_.WaitUntilQuiet();
      clock_.AdvanceBy(kStep);
    }
    system_.WaitUntilQuiet();
  }
  // A handler that notes that it begins, asks somebody to sleep, and notes what came.
  Do AskNap(int number, Duration how_long, AskOptions options = {}) {
    return Do{[number, how_long, options, napper = NewNapper()](Doer& self, Context&) mutable {
      self.Write(absl::StrCat("begin ", number));
      options.timeout = std::chrono::hours(1);
      const StatusOr<int64_t> reply = napper.Ask(Nap{number, how_long}, options);
      self.Write(absl::StrCat(reply.ok() ? "end" : OutcomeOf(reply), " ", number));
      return reply;
    }};
  }
  Ref<NapApi> NewNapper() {
    return system_.Spawn<Napper>(absl::StrCat("napper", ++nappers_)).value();
  }
  static Do Throwing() {
    return Do{[](Doer&, Context&) -> StatusOr<int64_t> { throw std::runtime_error("boom"); }};
  }
  static Do Leaving() {
    return Do{[](Doer& self, Context&) {
      self.DeactivateSoon();
      return 0;
    }};
  }
  // Asks `to` whatever `asked` says.
  static Do Asking(const Ref<DoerApi>& to, Do asked, Duration timeout = std::chrono::hours(1)) {
    return Do{[to, asked = std::move(asked), timeout](Doer&, Context&) {
      return to.Ask(asked, timeout);
    }};
  }
  static Do Returning(int64_t number) {
    return Do{[number](Doer&, Context&) { return number; }};
  }
  std::string Journal() {
    system_.WaitUntilQuiet();
    return scene_.journal.Text();
  }

  Scene scene_;
  FakeClock clock_;
  int kinds_ = 0;
  int nappers_ = 0;
  FaultyStore store_;
  System system_{SystemOptions{.name = "reentrant", .workers = 2, .clock = &clock_}};
};

}  // namespace quern::testing

#endif  // QUERN_TESTS_RUNTIME_GRAIN_REENTRANCY_KIT_H_
