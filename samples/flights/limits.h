// Every bound of the flights sample, named.

#ifndef QUERN_SAMPLES_FLIGHTS_LIMITS_H_
#define QUERN_SAMPLES_FLIGHTS_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flights {

inline constexpr size_t kLineBytesMax = 64 * 1024;
inline constexpr int kBatchEventsMax = 256;
inline constexpr int kMalformedShown = 3;
inline constexpr int kSentAgainShown = 3;
inline constexpr int kNodesPerDatacenterMax = 8;
inline constexpr int kNatsRestartsMax = 3;

// A reader stops reading while so many of its batches are cut but not answered.
inline constexpr size_t kBatchesWaitingMax = 1024;

// One message between launcher and node: the names of all airports of a node fit many times.
inline constexpr size_t kControlBytesMax = 128 * 1024;

// Of a node that ended by itself.
inline constexpr size_t kLogLinesShown = 5;

// Between two sendings of one batch.
inline constexpr std::chrono::milliseconds kResendPauseMin(5);
inline constexpr std::chrono::milliseconds kResendPauseMax(100);

// How long the launcher waits: for a node's word over the control channel, for one reader's answer,
// for the first one, and before it gives a silent reader up.
inline constexpr std::chrono::seconds kControlTimeout(10);
inline constexpr std::chrono::milliseconds kProgressTimeout(1000);
inline constexpr std::chrono::seconds kStartTimeout(10);
inline constexpr std::chrono::seconds kReaderSilenceMax(30);
inline constexpr std::chrono::seconds kReadyTimeout(60);
inline constexpr std::chrono::seconds kConnectTimeout(20);
inline constexpr std::chrono::seconds kMoveTimeout(60);
inline constexpr std::chrono::seconds kTotalsTimeout(30);
inline constexpr std::chrono::seconds kLeaveTimeout(3);
inline constexpr std::chrono::milliseconds kProgressEvery(20);

// With --pause every time of a lease is divided by this, so that the stopped node is replaced in
// seconds.
inline constexpr int kPauseLeaseDivisor = 10;

// Without a single answered batch for so long the run has failed.
inline constexpr std::chrono::seconds kStallMax(90);

// A courier's wait for one answer; then it sends the batch again.
inline constexpr std::chrono::milliseconds kBatchTimeout(1000);

// Flights that a reader takes from the file in one turn: a few milliseconds.
inline constexpr size_t kFlightsPerRead = 2048;

// Bytes that the nats-servers' data folders may need; less free space is refused at the start.
inline constexpr uint64_t kFreeBytesMin = 256ULL << 20;

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_LIMITS_H_
