// How many messages wait for each of some actors. A mailbox has no counter and nobody but its
// consumer may walk it: an actor that has mail is asked, and counts on its own turn; a handler that
// waits is counted by its worker; an actor without mail shows that to anybody. Thread-safe.

#ifndef QUERN_RUNTIME_SRC_SYSTEM_MAILBOX_CENSUS_H_
#define QUERN_RUNTIME_SRC_SYSTEM_MAILBOX_CENSUS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "quern/runtime/internal/cell.h"

namespace quern::internal {

class ActorCell;
class SystemCore;
struct ParkedHandlers;

class MailboxCensus {
 public:
  explicit MailboxCensus(SystemCore* core) : core_(*core) {}
  MailboxCensus(const MailboxCensus&) = delete;
  MailboxCensus& operator=(const MailboxCensus&) = delete;

  // In the order of `cells`; empty: not known, a handler holds its worker. `parked`: what waits, if
  // the caller knows already. Blocks the thread until each has answered, for little more than a
  // second; on a worker what is about to run is not waited for, and not known.
  std::vector<std::optional<size_t>> Count(const std::vector<CellPtr<ActorCell>>& cells,
                                           const ParkedHandlers* parked = nullptr);

  // By a cell that was signalled for it, on its own turn.
  void Report(uint64_t cell_id, size_t queued);

 private:
  // What one caller waits for.
  struct Round {
    std::unordered_map<uint64_t, std::optional<size_t>> counts;
    size_t missing = 0;
  };

  void Ask(const std::vector<CellPtr<ActorCell>>& cells, const ParkedHandlers& parked,
           Round& round);

  SystemCore& core_;
  absl::Mutex mutex_;
  std::vector<Round*> rounds_ ABSL_GUARDED_BY(mutex_);  // and what they point to
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SYSTEM_MAILBOX_CENSUS_H_
