// Actors whose lives tests watch: a node that does what it is told, and a diary of what happened.

#ifndef QUERN_TESTS_RUNTIME_LIFE_TEST_KIT_H_
#define QUERN_TESTS_RUNTIME_LIFE_TEST_KIT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "collecting_logger.h"
#include "quern/quern.h"
#include "quern/testing/fake_clock.h"

namespace quern {

// What happened, in order.
class Diary {
 public:
  void Write(std::string what) {
    absl::MutexLock lock(&mutex_);
    entries_.push_back(std::move(what));
  }
  std::vector<std::string> entries() const {
    absl::MutexLock lock(&mutex_);
    return entries_;
  }
  // What was written since the last Take().
  std::vector<std::string> Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(entries_, {});
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> entries_;
};

struct Count {};  // answers how often this object has been asked
struct Crash {
  enum Kind { kRuntime, kDomain, kOutOfRange, kNoException, kBadStatus } kind = kRuntime;
};
struct ReturnError {};
struct Adopt {  // spawns a child
  std::string name;
  SpawnOptions options = {};
};
struct OrderSelf {
  enum Kind { kRestart, kSuspend, kReinstate, kStop } kind;
};
struct Restarts {};
struct LifeApi;
struct LifeApi : Protocol<int(Count), void(Crash), void(ReturnError), Ref<LifeApi>(Adopt),
                          void(OrderSelf), int64_t(Restarts)> {};

struct LifeActor : Actor<LifeApi> {
  LifeActor(Diary* diary, std::string name) : diary_(diary), name_(std::move(name)) {}
  ~LifeActor() { diary_->Write(name_ + " gone"); }
  void OnStart() { diary_->Write(name_ + " started"); }
  void OnStop() { diary_->Write(name_ + " stopped"); }

  int On(const Count&) { return ++count_; }
  void On(const Crash& m) {
    switch (m.kind) {
      case Crash::kRuntime:
        throw std::runtime_error("runtime");
      case Crash::kDomain:
        throw std::domain_error("domain");
      case Crash::kOutOfRange:
        throw std::out_of_range("range");
      case Crash::kNoException:
        throw 42;
      case Crash::kBadStatus:
        (void)StatusOr<int>(absl::UnavailableError("not there")).value();
    }
  }
  Status On(const ReturnError&) { return absl::DataLossError("returned"); }
  StatusOr<Ref<LifeApi>> On(const Adopt& m, Context& context) {
    return context.Spawn<LifeActor>(m.options, m.name, diary_, m.name);
  }
  void On(const OrderSelf& m, Context& context) {
    switch (m.kind) {
      case OrderSelf::kRestart:
        (void)Self().Restart();
        break;
      case OrderSelf::kSuspend:
        (void)Self().Suspend();
        break;
      case OrderSelf::kReinstate:
        (void)Self().Reinstate();
        break;
      case OrderSelf::kStop:
        context.Stop();
        break;
    }
  }
  int64_t On(const Restarts&, Context& context) { return static_cast<int64_t>(context.restarts()); }

  Diary* diary_;
  std::string name_;
  int count_ = 0;
};

class LifeTest : public ::testing::Test {
 protected:
  explicit LifeTest(SystemOptions options = {}) : system_(Complete(std::move(options))) {}

  void Settle() { system_.WaitUntilQuiet(); }
  void Advance(Duration by) {
    clock_.AdvanceBy(by);
    system_.WaitUntilQuiet();
  }
  // Spawned, started, and its diary entries taken.
  Ref<LifeApi> Spawn(const std::string& name, SpawnOptions options = {}) {
    auto ref = system_.Spawn<LifeActor>(options, name, &diary_, name).value();
    Settle();
    diary_.Take();
    return ref;
  }
  Ref<LifeApi> SpawnUnder(const Ref<LifeApi>& parent, const std::string& name,
                          SpawnOptions options = {}) {
    auto ref = parent.Ask(Adopt{name, std::move(options)}).value();
    Settle();
    diary_.Take();
    return ref;
  }
  // Whether it lives, and with which object: its count so far, asked anew.
  int CountOf(const Ref<LifeApi>& ref) { return ref.Ask(Count{}).value_or(-1); }

  testing::FakeClock clock_;
  CollectingLogger logger_;
  Diary diary_;
  System system_;

 private:
  SystemOptions Complete(SystemOptions options) {
    options.workers = 2;
    options.clock = &clock_;
    options.logger = &logger_;
    return options;
  }
};

}  // namespace quern

#endif  // QUERN_TESTS_RUNTIME_LIFE_TEST_KIT_H_
