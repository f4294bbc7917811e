// What the tests of grains share: a grain that writes down what happens to it, a clock that moves
// by hand, a store that fails on demand, a router that keeps what it is given.

#ifndef QUERN_TESTS_RUNTIME_GRAIN_TEST_KIT_H_
#define QUERN_TESTS_RUNTIME_GRAIN_TEST_KIT_H_

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/grain.h"
#include "quern/runtime/memory_state_store.h"
#include "quern/runtime/network_port.h"
#include "quern/runtime/state.h"
#include "quern/runtime/system.h"

namespace quern::testing {

// Moves by hand, from any thread.
class ManualClock : public Clock {
 public:
  Time Now() const override { return Time(Duration(now_.load(std::memory_order_acquire))); }
  WallTime WallNow() const override { return WallTime(Now().time_since_epoch()); }
  uint64_t AddListener(std::function<void()> moved) override {
    absl::MutexLock lock(&mutex_);
    listeners_[++last_id_] = std::move(moved);
    return last_id_;
  }
  void RemoveListener(uint64_t id) override {
    absl::MutexLock lock(&mutex_);
    listeners_.erase(id);
  }
  void Advance(Duration by) {
    now_.fetch_add(by.count(), std::memory_order_acq_rel);
    absl::MutexLock lock(&mutex_);
    for (auto& [id, moved] : listeners_) moved();
  }

 private:
  std::atomic<Duration::rep> now_{Duration(std::chrono::hours(1)).count()};
  absl::Mutex mutex_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::function<void()>> listeners_ ABSL_GUARDED_BY(mutex_);
};

// What happened, in order. Thread-safe.
class Journal {
 public:
  void Add(std::string line) {
    absl::MutexLock lock(&mutex_);
    lines_.push_back(std::move(line));
  }
  // Blocks until there are `count` lines; returns them joined by ", ".
  std::string Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    auto enough = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return lines_.size() >= count; };
    mutex_.Await(absl::Condition(&enough));
    return absl::StrJoin(lines_, ", ");
  }
  std::string Text() { return Await(0); }
  void Clear() {
    absl::MutexLock lock(&mutex_);
    lines_.clear();
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

// What grains reach for: they are made by the host, so a test cannot hand them anything. One test
// at a time.
struct Scene {
  Journal journal;
  FiberMutex stage;                           // held by a test: a handler waits for it
  std::function<Status()> on_activate;        // run inside OnActivate
  std::function<void(Status)> on_deactivate;  // run inside OnDeactivate
  static inline Scene* current = nullptr;
};

struct Add {
  int64_t amount = 0;
  std::string source = {};
  int64_t sequence = 0;
};
struct Get {};
struct Note {
  std::string text = {};
};
struct Wait {};     // waits for the stage
struct Throw {};    // throws
struct Leave {};    // DeactivateSoon
struct Forget {};   // clears the state
struct Disobey {};  // saves, and answers 1 whatever came of it
struct Peer {       // tells that grain a note
  std::string key = {};
};
struct WhichEpoch {};

struct TallyApi
    : Protocol<int64_t(Add), int64_t(Get), void(Note), void(Wait), void(Throw), void(Leave),
               void(Forget), int64_t(Disobey), void(Peer), std::string(WhichEpoch)> {
  static constexpr std::string_view kKind = "tally";
};

}  // namespace quern::testing

namespace quern {

template <typename M>
struct EmptyCodec {
  static void Encode(const M&, std::string*) {}
  static Status Decode(std::string_view, M*) { return absl::OkStatus(); }
};
#define QUERN_TEST_EMPTY_MESSAGE(Name)                       \
  template <>                                                \
  struct Codec<testing::Name> : EmptyCodec<testing::Name> {  \
    static constexpr std::string_view kName = "test." #Name; \
  }
QUERN_TEST_EMPTY_MESSAGE(Get);
QUERN_TEST_EMPTY_MESSAGE(Wait);
QUERN_TEST_EMPTY_MESSAGE(Throw);
QUERN_TEST_EMPTY_MESSAGE(Leave);
QUERN_TEST_EMPTY_MESSAGE(Forget);
QUERN_TEST_EMPTY_MESSAGE(Disobey);
QUERN_TEST_EMPTY_MESSAGE(WhichEpoch);
#undef QUERN_TEST_EMPTY_MESSAGE

template <>
struct Codec<testing::Note> {
  static constexpr std::string_view kName = "test.Note";
  static void Encode(const testing::Note& m, std::string* out) { out->append(m.text); }
  static Status Decode(std::string_view bytes, testing::Note* m) {
    m->text.assign(bytes);
    return absl::OkStatus();
  }
};

template <>
struct Codec<testing::Peer> {
  static constexpr std::string_view kName = "test.Peer";
  static void Encode(const testing::Peer& m, std::string* out) { out->append(m.key); }
  static Status Decode(std::string_view bytes, testing::Peer* m) {
    m->key.assign(bytes);
    return absl::OkStatus();
  }
};

// Two numbers, then the source.
template <>
struct Codec<testing::Add> {
  static constexpr std::string_view kName = "test.Add";
  static void Encode(const testing::Add& m, std::string* out) {
    Codec<int64_t>::Encode(m.amount, out);
    Codec<int64_t>::Encode(m.sequence, out);
    out->append(m.source);
  }
  static Status Decode(std::string_view bytes, testing::Add* m) {
    if (bytes.size() < 16) return absl::DataLossError("an Add has two numbers");
    m->source.assign(bytes.substr(16));
    Status status = Codec<int64_t>::Decode(bytes.substr(0, 8), &m->amount);
    status.Update(Codec<int64_t>::Decode(bytes.substr(8, 8), &m->sequence));
    return status;
  }
};

}  // namespace quern

namespace quern::testing {

struct Tally : Grain<TallyApi> {
  Tally() { Write("made"); }
  ~Tally() override { Write("destroyed"); }

  Status OnActivate() override {
    Write("activated");
    return Scene::current->on_activate ? Scene::current->on_activate() : absl::OkStatus();
  }
  void OnDeactivate(const Status& why) override {
    Write("deactivated " + absl::StatusCodeToString(why.code()));
    if (Scene::current->on_deactivate) Scene::current->on_deactivate(why);
  }

  StatusOr<int64_t> On(const Add& m) {
    if (m.sequence > 0 && static_cast<uint64_t>(m.sequence) <= total.mark(m.source)) return *total;
    *total += m.amount;
    if (m.sequence > 0) total.set_mark(m.source, static_cast<uint64_t>(m.sequence));
    return total.SaveThen(*total);
  }
  int64_t On(const Get&) { return *total; }
  void On(const Note& m) { Write(m.text); }
  void On(const Wait&) {
    Write("waits");
    FiberMutexLock lock(Scene::current->stage);
  }
  void On(const Throw&) { throw std::runtime_error("thrown on purpose"); }
  void On(const Leave&) { DeactivateSoon(); }
  Status On(const Forget&) { return total.Clear(); }
  int64_t On(const Disobey&) {
    (void)total.Save();
    return 1;
  }
  void On(const Peer& m, Context& context) {
    context.Grain<TallyApi>(m.key).Tell(Note{"from " + key()});
  }
  std::string On(const WhichEpoch&) { return epoch().ToString(); }

  // Names the grain, if it is a real one.
  static void Write(std::string line) {
    if (Scene::current != nullptr) Scene::current->journal.Add(std::move(line));
  }

  State<int64_t> total{this};
};

// Passes everything on, unless told to fail, or to keep silent.
class FaultyStore : public StateStore {
 public:
  enum class Fault { kNone, kFail, kSilent, kWriteThenFail };

  // Of the next operation only.
  void FailNext(Status why) { Set(Fault::kFail, std::move(why)); }
  void BeSilentNext() { Set(Fault::kSilent, absl::OkStatus()); }
  // The write lands, the answer is lost.
  void WriteThenFailNext(Status why) { Set(Fault::kWriteThenFail, std::move(why)); }

  void Claim(const GrainId& id, const Epoch& epoch, Duration timeout,
             std::function<void(StatusOr<ClaimedState>)> done) override {
    Pass<ClaimedState>(std::move(done),
                       [&](auto passed) { memory_.Claim(id, epoch, timeout, std::move(passed)); });
  }
  void Save(const StateClaim& claim, StateSnapshot snapshot, Duration timeout,
            std::function<void(StatusOr<StateClaim>)> done) override {
    Pass<StateClaim>(std::move(done), [&](auto passed) {
      memory_.Save(claim, std::move(snapshot), timeout, std::move(passed));
    });
  }
  void Clear(const StateClaim& claim, Duration timeout,
             std::function<void(StatusOr<StateClaim>)> done) override {
    Pass<StateClaim>(std::move(done),
                     [&](auto passed) { memory_.Clear(claim, timeout, std::move(passed)); });
  }
  uint64_t refused_writes() const override { return memory_.refused_writes(); }

  MemoryStateStore& memory() { return memory_; }
  uint64_t operations() const { return operations_.load(); }

 private:
  void Set(Fault fault, Status why) {
    absl::MutexLock lock(&mutex_);
    fault_ = fault;
    why_ = std::move(why);
  }

  template <typename T, typename Start>
  void Pass(std::function<void(StatusOr<T>)> done, Start start) {
    Fault fault = Fault::kNone;
    Status why;
    {
      absl::MutexLock lock(&mutex_);
      fault = std::exchange(fault_, Fault::kNone);
      why = why_;
    }
    operations_.fetch_add(1);
    switch (fault) {
      case Fault::kNone:
        start(std::move(done));
        break;
      case Fault::kFail:
        done(why);
        break;
      case Fault::kSilent:
        break;
      case Fault::kWriteThenFail:
        start([](const StatusOr<T>&) {});
        done(why);
        break;
    }
  }

  MemoryStateStore memory_;
  std::atomic<uint64_t> operations_{0};
  absl::Mutex mutex_;
  Fault fault_ ABSL_GUARDED_BY(mutex_) = Fault::kNone;
  Status why_ ABSL_GUARDED_BY(mutex_);
};

// Keeps what a system routes, and writes down who left.
class KeepingRouter : public Router {
 public:
  Delivery RouteGrain(const GrainId& target, Message message) override {
    absl::MutexLock lock(&mutex_);
    kept_.emplace_back(target, std::move(message));
    return Delivery::kAccepted;
  }
  Delivery RouteActor(const std::string&, Message message) override {
    std::move(message).Fail(absl::UnimplementedError("no actors here"));
    return Delivery::kUnreachable;
  }
  void Spawn(std::string_view, std::string_view, std::string_view, std::string, Duration,
             std::function<void(StatusOr<std::string>)> done) override {
    done(absl::UnimplementedError("no spawns here"));
  }
  void OnDeactivated(const GrainId& id, const Epoch& epoch) override {
    left.Add(id.ToString() + " " + epoch.ToString());
  }

  // Blocks until a message is there.
  std::pair<GrainId, Message> Take() {
    absl::MutexLock lock(&mutex_);
    auto any = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !kept_.empty(); };
    mutex_.Await(absl::Condition(&any));
    auto first = std::move(kept_.front());
    kept_.pop_front();
    return first;
  }

  Journal left;

 private:
  absl::Mutex mutex_;
  std::deque<std::pair<GrainId, Message>> kept_ ABSL_GUARDED_BY(mutex_);
};

// "ok", or "ABORTED stale_epoch".
inline std::string OutcomeOf(const Status& status) {
  std::string text = absl::StatusCodeToString(status.code());
  if (ReasonOf(status) != Reason::kNone) absl::StrAppend(&text, " ");
  return text + std::string(ReasonName(ReasonOf(status)));
}
template <typename T>
std::string OutcomeOf(const StatusOr<T>& result) {
  return OutcomeOf(result.status());
}

}  // namespace quern::testing

#endif  // QUERN_TESTS_RUNTIME_GRAIN_TEST_KIT_H_
