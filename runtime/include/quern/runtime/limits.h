// Every bound of the runtime, by name. A bound that a user may move is an option whose default
// stands here.

#ifndef QUERN_RUNTIME_LIMITS_H_
#define QUERN_RUNTIME_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "quern/runtime/clock.h"

namespace quern {

inline constexpr size_t kMessageBytesMax = 4096;    // of a message or reply by value; box the rest
inline constexpr size_t kMessageAlignmentMax = 16;  // of a message
inline constexpr int kTurnMessagesMax = 32;         // then the actor goes to the back of the queue
inline constexpr int kTurnMessagesLimit = 65536;    // that the option may be set to
inline constexpr Duration kTurnTimeMax = std::chrono::milliseconds(1);
inline constexpr Duration kAskTimeoutDefault = std::chrono::seconds(5);
inline constexpr int kCallChainMax = 32;  // asks that wait on one another
inline constexpr size_t kActorNameBytesMax = 255;
inline constexpr size_t kChildrenGoneMax = 7;  // that have ended and wait to be taken out
// Fibers a worker: so many handlers may wait; further ones begin when one has ended. Fewer where
// the kernel's vm.max_map_count is small for so many workers.
inline constexpr size_t kRunnersMax = 4096;
inline constexpr size_t kRunnersIdleMax = 64;  // kept for reuse a worker
inline constexpr size_t kRunnerStackBytes = 64 * 1024;
inline constexpr size_t kSanitizedRunnerStackBytes = 256 * 1024;
inline constexpr int kRestartsMax = 10;  // within kRestartWindow, then stop
inline constexpr Duration kRestartWindow = std::chrono::minutes(1);
inline constexpr Duration kRestartBackoffMin = std::chrono::milliseconds(50);
inline constexpr Duration kRestartBackoffMax = std::chrono::seconds(30);
inline constexpr size_t kWatchesPerActorMax = 65536;
inline constexpr Duration kActivityTouchEvery = std::chrono::milliseconds(100);  // of a cell
inline constexpr size_t kSupervisorRulesMax = 64;  // of one Supervisor
inline constexpr int kStartTriesDefault = 5;       // of the first start
inline constexpr Duration kStartTimeoutDefault = std::chrono::seconds(10);
inline constexpr size_t kTimersPerActorMax = 1024;
inline constexpr size_t kPipesPerActorMax = 1024;
inline constexpr int kStatesStackedMax = 64;     // of one actor, by BecomeStacked()
inline constexpr int kBreakerBucketsMax = 1024;  // of a CircuitBreaker's window
inline constexpr size_t kRouteesMax = 1024;      // of one router
inline constexpr int kVirtualNodesMax = 1024;    // of a routee on the hash ring
inline constexpr int kTimerCatchUpMax = 100;     // ticks that a fixed rate makes up for at once
inline constexpr Duration kTimerDelayMax = std::chrono::hours(24 * 365 * 100);
inline constexpr Duration kCronRecheck = std::chrono::minutes(10);  // the wall clock may be set
inline constexpr size_t kDeadLettersKeptDefault = 256;
inline constexpr size_t kDeadLettersKeptMax = 65536;
inline constexpr size_t kDeadLetterGroupsMax = 64;  // lines told apart in the log
inline constexpr size_t kFairSendersMax = 1024;     // lines of a fair mailbox; the rest share one
inline constexpr Duration kDeadLetterLogEvery = std::chrono::seconds(10);  // a group
inline constexpr size_t kEventQueueDefault = 1024;  // events that a subscription keeps
inline constexpr size_t kEventQueueMax = 1u << 20;
inline constexpr size_t kEventSubscriptionsMax = 1024;  // a system
inline constexpr size_t kSenderEpochsMax = 65536;       // grains whose highest epoch is remembered
inline constexpr size_t kEndedEpochsMax = 65536;     // grains that were here, with their last epoch
inline constexpr size_t kGrainWaitingMax = 100'000;  // messages for a grain on its way out
inline constexpr Duration kGrainIdleDefault = std::chrono::minutes(2);
inline constexpr Duration kNeverIdle = Duration::max();
inline constexpr int kStatelessWorkersMax = 1024;  // of one identity
inline constexpr size_t kGrainPageDefault = 1000;  // of System::ListGrains
inline constexpr size_t kGrainPageMax = 10'000;
inline constexpr Duration kStateTimeoutDefault = std::chrono::seconds(5);
inline constexpr int kActivateTriesDefault = 1;  // the next call tries again anyway
inline constexpr int kActivateTriesMax = 100;
inline constexpr Duration kActivateTimeoutDefault = std::chrono::seconds(10);
inline constexpr size_t kMagazineEnvelopes = 256;  // a size class of a worker
inline constexpr size_t kDepotMagazinesMax = 64;   // a size class, shared by the workers
inline constexpr size_t kTrimMagazines = 256;      // freed: then the kernel gets memory back
inline constexpr size_t kWorkersMax = 256;
inline constexpr size_t kStealCellsMax = 16;   // actors that an idle worker takes from another
inline constexpr size_t kSpareWorkersMax = 4;  // on duty while handlers hold all the others
inline constexpr Duration kWatchdogDefault = std::chrono::seconds(1);
inline constexpr size_t kMetricClassesMax = 64;      // told apart in the metrics
inline constexpr uint64_t kMetricSampleEvery = 64;   // turns of a worker; a power of two
inline constexpr uint64_t kWaitSampleEvery = 256;    // turns; a multiple of the former
inline constexpr uint64_t kStackSampleEvery = 1024;  // samples of a class, once there are so many
inline constexpr size_t kMailboxCountMax = 10'000;   // further messages are not counted
inline constexpr size_t kMailboxSampleMax = 64;      // nor here by the metrics, which walk often
inline constexpr size_t kDumpActorsMax = 100'000;
inline constexpr Duration kStopTimeoutDefault = std::chrono::minutes(1);
inline constexpr size_t kShutdownHooksMax = 1024;
inline constexpr size_t kListActorsMax = 10'000;  // a page
inline constexpr int kOffloadThreadsDefault = 32;
inline constexpr int kOffloadThreadsMax = 1024;
inline constexpr size_t kOffloadQueueDefault = 1024;
inline constexpr size_t kOffloadQueueMax = 1u << 20;
inline constexpr Duration kOffloadIdleMax = std::chrono::seconds(10);  // then a thread ends
// A router answers within the timeout that it was given; one so much later counts as silent.
inline constexpr Duration kRouterGrace = std::chrono::seconds(1);

}  // namespace quern

#endif  // QUERN_RUNTIME_LIMITS_H_
