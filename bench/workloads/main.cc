// Quern's whole workloads. `quern_workloads --list` names them; see quern/bench/workload.h.

#include <vector>

#include "workloads.h"

namespace quern::bench {
namespace {

std::vector<Workload> Workloads() {
  return {
      {"ping-pong", 10'000'000, &PingPong},
      {"ping-pong-1000", 20'000, &PingPong1000},
      {"ping-pong-apart", 1'000'000, &PingPongApart},
      {"fan-in-1", 4'000'000, &FanIn1},
      {"fan-in-8", 4'000'000, &FanIn8},
      {"thread-ring", 10'000'000, &ThreadRing},
      {"big", 20'000, &Big},
      {"create", 1'000'000, &Create},
      {"skynet", 1'000'000, &Skynet},
      {"spawn", 1'000'000, &Spawn},
      {"idle-actors", 1'000'000, &IdleActors, /*warm_up=*/false},
      {"idle-passivated", 1'000'000, &IdlePassivated, /*warm_up=*/false},
      {"ask", 2'000'000, &Ask},
      {"ask-thread", 200'000, &AskThread},
      {"ask-load-10", 1'000, &AskLoad10},
      {"ask-load-50", 1'000, &AskLoad50},
      {"ask-load-80", 1'000, &AskLoad80},
      {"actor-tell-1", 4'000'000, &ActorTell1},
      {"actor-tell-256", 4'000'000, &ActorTell256},
      {"grain-tell-1", 4'000'000, &GrainTell1},
      {"grain-tell-256", 4'000'000, &GrainTell256},
      {"grain-ask", 2'000'000, &GrainAsk},
      {"timer-arm-cancel", 5'000'000, &TimerArmCancel},
      {"timer-memory", 1'000'000, &TimerMemory, /*warm_up=*/false},
      {"fork-join-create", 40'000, &ForkJoinCreate},
      {"fork-join-throughput", 10'000, &ForkJoinThroughput},
      {"chameneos", 200'000, &Chameneos},
      {"mailbox-performance", 2'000'000, &MailboxPerformance},
      {"bounded-buffer", 1'000, &BoundedBuffer},
      {"philosophers", 10'000, &Philosophers},
      {"smokers", 1'000, &Smokers},
      {"dictionary", 10'000, &ConcurrentDictionary},
      {"sorted-list", 8'000, &ConcurrentSortedList},
      {"bank", 50'000, &Bank},
      {"logistic-map", 25'000, &LogisticMap},
      {"barber", 5'000, &SleepingBarber},
      {"sieve", 100'000, &Sieve},
      {"uct", 200'000, &UnbalancedTree},
      {"trapezoid", 10'000'000, &Trapezoid},
      {"pi-precision", 5'000, &PiPrecision},
      {"n-queens", 12, &NQueens, /*warm_up=*/false},
      {"matrix", 1024, &MatrixMultiplication},
      {"quick-sort", 1'000'000, &QuickSort},
      {"radix-sort", 100'000, &RadixSort},
      {"filter-bank", 34'816, &FilterBank},
      {"a-star", 30, &AStar},
      {"apsp", 300, &AllPairsShortestPath},
      {"payload-0", 2'000'000, &Payload0},
      {"payload-64", 2'000'000, &Payload64},
      {"payload-1k", 1'000'000, &Payload1K},
      {"payload-4k", 500'000, &Payload4K},
      {"payload-64k", 50'000, &Payload64K},
      {"mailbox-default", 2'000'000, &MailboxDefault},
      {"mailbox-bounded", 2'000'000, &MailboxBounded},
      {"mailbox-priority", 1'000'000, &MailboxPriority},
      {"mailbox-fair", 1'000'000, &MailboxFair},
      {"million-actors", 1'000'000, &MillionActors, /*warm_up=*/false},
      {"fairness", 2'000, &Fairness},
      {"at-rest", 1'000, &AtRest, /*warm_up=*/false},
  };
}

std::vector<Workload> Features() {
  return {
      {"features-tell", 10'000'000, &FeaturesTell},
      {"features-tell-passivation", 10'000'000, &FeaturesTellPassivation},
      {"features-tell-passivation-soon", 10'000'000, &FeaturesTellPassivationSoon},
      {"features-tell-stash", 10'000'000, &FeaturesTellStash},
      {"features-tell-reentrant", 10'000'000, &FeaturesTellReentrant},
      {"features-tell-watchdog", 10'000'000, &FeaturesTellWatchdog},
      {"features-tell-timer", 10'000'000, &FeaturesTellTimer},
      {"features-tell-watched", 10'000'000, &FeaturesTellWatched},
      {"features-tell-events", 10'000'000, &FeaturesTellEvents},
      {"features-tell-metrics", 10'000'000, &FeaturesTellMetrics},
      {"features-tell-by-name", 10'000'000, &FeaturesTellByName},
      {"features-tell-printed", 10'000'000, &FeaturesTellPrinted},
      {"features-ask", 2'000'000, &FeaturesAsk},
      {"features-ask-reentrant", 2'000'000, &FeaturesAskReentrant},
      {"features-ask-counted", 2'000'000, &FeaturesAskCounted},
      {"features-ask-chain", 2'000'000, &FeaturesAskChain},
      {"features-grain", 4'000'000, &FeaturesGrain},
      {"features-grain-idle", 4'000'000, &FeaturesGrainIdle},
      {"features-grain-idle-soon", 4'000'000, &FeaturesGrainIdleSoon},
  };
}

}  // namespace
}  // namespace quern::bench

int main(int argc, char** argv) {
  std::vector<quern::bench::Workload> all = quern::bench::Workloads();
  for (const auto& feature : quern::bench::Features()) all.push_back(feature);
  return quern::bench::RunProgram(argc, argv, "quern", all);
}
