// The workloads of Quern, one file each; main.cc lists them by name. A name and a size that Savina
// has are Savina's (Imam and Sarkar, AGERE 2014).

#ifndef QUERN_BENCH_WORKLOADS_WORKLOADS_H_
#define QUERN_BENCH_WORKLOADS_WORKLOADS_H_

#include <atomic>
#include <cstdint>

#include "quern/bench/workload.h"
#include "quern/runtime/system_options.h"

namespace quern::bench {

inline SystemOptions OptionsFor(const Setup& setup) {
  SystemOptions options;
  options.name = "bench";
  options.workers = setup.workers;
  options.watchdog_after = Duration::zero();  // they hold their workers on purpose
  return options;
}

// What actors counted while they worked, added up when each stops: nothing is shared before.
class Tally {
 public:
  void Add(int64_t count) { sum_.fetch_add(count, std::memory_order_relaxed); }
  double sum() const { return static_cast<double>(sum_.load()); }

 private:
  std::atomic<int64_t> sum_{0};
};

// Messages between few.
Outcome PingPong(const Setup& setup);
Outcome PingPong1000(const Setup& setup);
Outcome PingPongApart(const Setup& setup);
Outcome FanIn1(const Setup& setup);
Outcome FanIn8(const Setup& setup);
Outcome ThreadRing(const Setup& setup);
Outcome Big(const Setup& setup);

// Actors that come and go.
Outcome Create(const Setup& setup);
Outcome Skynet(const Setup& setup);
Outcome Spawn(const Setup& setup);
Outcome IdleActors(const Setup& setup);
Outcome IdlePassivated(const Setup& setup);

// Questions.
Outcome Ask(const Setup& setup);
Outcome AskThread(const Setup& setup);

// Questions by a schedule, at so much of the peak.
Outcome AskLoad10(const Setup& setup);
Outcome AskLoad50(const Setup& setup);
Outcome AskLoad80(const Setup& setup);

// Grains, and plain actors in their place.
Outcome ActorTell1(const Setup& setup);
Outcome ActorTell256(const Setup& setup);
Outcome GrainTell1(const Setup& setup);
Outcome GrainTell256(const Setup& setup);
Outcome GrainAsk(const Setup& setup);

// Timers.
Outcome TimerArmCancel(const Setup& setup);
Outcome TimerMemory(const Setup& setup);

// The rest of Savina: concurrency, then parallelism.
Outcome ForkJoinCreate(const Setup& setup);
Outcome ForkJoinThroughput(const Setup& setup);
Outcome Chameneos(const Setup& setup);
Outcome MailboxPerformance(const Setup& setup);
Outcome BoundedBuffer(const Setup& setup);
Outcome Philosophers(const Setup& setup);
Outcome Smokers(const Setup& setup);
Outcome ConcurrentDictionary(const Setup& setup);
Outcome ConcurrentSortedList(const Setup& setup);
Outcome Bank(const Setup& setup);
Outcome LogisticMap(const Setup& setup);
Outcome SleepingBarber(const Setup& setup);
Outcome Sieve(const Setup& setup);
Outcome UnbalancedTree(const Setup& setup);
Outcome Trapezoid(const Setup& setup);
Outcome PiPrecision(const Setup& setup);
Outcome NQueens(const Setup& setup);
Outcome MatrixMultiplication(const Setup& setup);
Outcome QuickSort(const Setup& setup);
Outcome RadixSort(const Setup& setup);
Outcome FilterBank(const Setup& setup);
Outcome AStar(const Setup& setup);
Outcome AllPairsShortestPath(const Setup& setup);

// What a message's size, and a mailbox's kind, cost.
Outcome Payload0(const Setup& setup);
Outcome Payload64(const Setup& setup);
Outcome Payload1K(const Setup& setup);
Outcome Payload4K(const Setup& setup);
Outcome Payload64K(const Setup& setup);
Outcome MailboxDefault(const Setup& setup);
Outcome MailboxBounded(const Setup& setup);
Outcome MailboxPriority(const Setup& setup);
Outcome MailboxFair(const Setup& setup);

Outcome MillionActors(const Setup& setup);
Outcome Fairness(const Setup& setup);
Outcome AtRest(const Setup& setup);

// What features cost those who do not use them.
Outcome FeaturesTell(const Setup& setup);
Outcome FeaturesTellPassivation(const Setup& setup);
Outcome FeaturesTellPassivationSoon(const Setup& setup);
Outcome FeaturesTellStash(const Setup& setup);
Outcome FeaturesTellReentrant(const Setup& setup);
Outcome FeaturesTellWatchdog(const Setup& setup);
Outcome FeaturesTellTimer(const Setup& setup);
Outcome FeaturesTellWatched(const Setup& setup);
Outcome FeaturesTellEvents(const Setup& setup);
Outcome FeaturesTellMetrics(const Setup& setup);
Outcome FeaturesTellByName(const Setup& setup);
Outcome FeaturesTellPrinted(const Setup& setup);
Outcome FeaturesAsk(const Setup& setup);
Outcome FeaturesAskReentrant(const Setup& setup);
Outcome FeaturesAskCounted(const Setup& setup);
Outcome FeaturesAskChain(const Setup& setup);
Outcome FeaturesGrain(const Setup& setup);
Outcome FeaturesGrainIdle(const Setup& setup);
Outcome FeaturesGrainIdleSoon(const Setup& setup);

}  // namespace quern::bench

#endif  // QUERN_BENCH_WORKLOADS_WORKLOADS_H_
