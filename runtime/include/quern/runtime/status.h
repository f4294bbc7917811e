// Expected failure, everywhere in Quern: abseil's Status and StatusOr under our own names, and the
// finer reason that a caller may branch on.
//
//   quern::Status s = WithReason(absl::AbortedError("cart/42 lives on node-2"), Reason::kMoved);
//   if (ReasonOf(s) == Reason::kMoved) Relocate();
//
// One meaning a code, local and remote alike: NOT_FOUND no such actor or kind; UNAVAILABLE surely
// not run, retry elsewhere; DEADLINE_EXCEEDED outcome unknown; RESOURCE_EXHAUSTED mailbox or quota
// full, back off; ABORTED lost a race or an old epoch, re-resolve; FAILED_PRECONDITION the handler
// or the state refuses; CANCELLED stopped while waiting; PERMISSION_DENIED; INVALID_ARGUMENT;
// DATA_LOSS corrupt frame; INTERNAL a bug in Quern.

#ifndef QUERN_RUNTIME_STATUS_H_
#define QUERN_RUNTIME_STATUS_H_

#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace quern {

using Status = absl::Status;
template <typename T>
using StatusOr = absl::StatusOr<T>;

// The list is closed; a name travels as the status payload "quern.reason".
enum class Reason {
  kNone,
  kAskCycle,            // FAILED_PRECONDITION
  kMessageTooLarge,     // INVALID_ARGUMENT
  kStaleEpoch,          // ABORTED
  kNotOwner,            // ABORTED
  kMoved,               // ABORTED
  kDcUnreachable,       // UNAVAILABLE
  kDcStale,             // UNAVAILABLE
  kDcDraining,          // UNAVAILABLE
  kStorageUnavailable,  // UNAVAILABLE
  kDenied,              // PERMISSION_DENIED
  kCancelled,           // CANCELLED
};

// "ask_cycle", "moved", ..; "" for kNone.
std::string_view ReasonName(Reason reason);

// kNone for an unknown name: a newer peer may send one.
Reason ReasonFromName(std::string_view name);

// The same status with the reason attached. An OK status is returned as it is.
Status WithReason(Status status, Reason reason);

// kNone when the status carries none.
Reason ReasonOf(const Status& status);

}  // namespace quern

#endif  // QUERN_RUNTIME_STATUS_H_
