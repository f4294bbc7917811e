// Savina's concurrent dictionary and concurrent sorted list: twenty workers read and write one
// collection that an actor owns, one request at a time each.

#include <algorithm>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kWorkers = 20;
constexpr uint64_t kWritePercent = 10;
constexpr uint64_t kSizePercent = 1;
constexpr uint64_t kKeys = 1024;  // of the dictionary: 512 K / 512, as its own workers pick them
constexpr uint64_t kValues = 1024;

struct Answer {
  int64_t value;
};
struct WorkerApi : Protocol<void(Answer)> {};
struct Read {
  uint64_t key;
  Ref<WorkerApi> from;
};
struct Write {
  uint64_t key;
  int64_t value;
  Ref<WorkerApi> from;
};
struct Size {
  Ref<WorkerApi> from;
};
struct CollectionApi : Protocol<void(Read), void(Write), void(Size)> {};

struct Dictionary : Actor<CollectionApi> {
  void On(const Read& m) {
    const auto found = map_.find(m.key);
    m.from.Tell(Answer{found == map_.end() ? 0 : found->second});
  }
  void On(const Write& m) {
    map_[m.key] = m.value;
    m.from.Tell(Answer{m.value});
  }
  void On(const Size& m) { m.from.Tell(Answer{static_cast<int64_t>(map_.size())}); }
  std::unordered_map<uint64_t, int64_t> map_;
};

struct SortedList : Actor<CollectionApi> {
  void On(const Read& m) {
    const auto found =
        std::find_if(list_.begin(), list_.end(), [&](uint64_t key) { return key >= m.key; });
    m.from.Tell(Answer{found != list_.end() && *found == m.key ? 1 : 0});
  }
  void On(const Write& m) {
    const auto place =
        std::find_if(list_.begin(), list_.end(), [&](uint64_t key) { return key >= m.key; });
    list_.insert(place, m.key);
    m.from.Tell(Answer{m.value});
  }
  void On(const Size& m) { m.from.Tell(Answer{static_cast<int64_t>(list_.size())}); }
  std::list<uint64_t> list_;
};

struct Worker : Actor<WorkerApi> {
  Worker(int number, int64_t requests, Ref<CollectionApi> collection, Finish* finish,
         Tally* answered)
      : left_(requests),
        random_(static_cast<uint64_t>(number)),
        collection_(std::move(collection)),
        finish_(finish),
        tally_(answered) {}
  void OnStart() { Request(); }
  void On(const Answer& m) {
    answers_ += wanted_ < 0 || m.value == wanted_ ? 1 : 0;
    if (left_ > 0) return Request();
    tally_->Add(answers_);
    finish_->One();
  }
  void Request() {
    --left_;
    const uint64_t chance = random_.Below(100);
    const uint64_t key = random_.Below(kKeys);
    wanted_ = -1;
    if (chance < kSizePercent) {
      collection_.Tell(Size{Self()});
    } else if (chance < kSizePercent + kWritePercent) {
      wanted_ = static_cast<int64_t>(random_.Below(kValues));
      collection_.Tell(Write{key, wanted_, Self()});
    } else {
      collection_.Tell(Read{key, Self()});
    }
  }

  int64_t left_;
  Xorshift random_;
  Ref<CollectionApi> collection_;
  Finish* finish_;
  Tally* tally_;
  int64_t wanted_ = -1;  // what the answer to a write repeats
  int64_t answers_ = 0;
};

template <typename Collection>
Outcome Share(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally answered;
  auto collection = system.template Spawn<Collection>("collection").value();
  finish.Expect(kWorkers);
  Stopwatch watch;
  for (int i = 0; i < kWorkers; ++i) {
    system.template Spawn<Worker>(std::to_string(i), i, setup.size, collection, &finish, &answered)
        .value();
  }
  finish.Wait();
  Outcome outcome{.messages = 2 * kWorkers * setup.size, .took = watch.Stop()};
  outcome.Check("right answers", answered.sum(), static_cast<double>(kWorkers * setup.size));
  return outcome;
}

}  // namespace

Outcome ConcurrentDictionary(const Setup& setup) { return Share<Dictionary>(setup); }
Outcome ConcurrentSortedList(const Setup& setup) { return Share<SortedList>(setup); }

}  // namespace quern::bench
