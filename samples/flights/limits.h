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
inline constexpr int kNodesPerDatacenterMax = 8;
inline constexpr int kNatsRestartsMax = 3;

// A reader stops reading while so many of its batches are cut but not answered.
inline constexpr size_t kBatchesWaitingMax = 1024;

// One message between launcher and node: the names of all airports of a node fit many times.
inline constexpr size_t kControlBytesMax = 128 * 1024;

// Of a node that ended by itself.
inline constexpr size_t kLogLinesShown = 5;

// Flights that a reader takes from the file in one trip to the offload pool.
inline constexpr size_t kFlightsPerRead = 4096;

// Bytes that the nats-servers' data folders may need; less free space is refused at the start.
inline constexpr uint64_t kFreeBytesMin = 256ULL << 20;

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_LIMITS_H_
