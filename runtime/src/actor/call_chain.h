// Who waits for the answer to an ask, from the first asker to the last: an immutable counted list,
// shared by every ask of one turn and read by whoever handles them.

#ifndef QUERN_RUNTIME_SRC_ACTOR_CALL_CHAIN_H_
#define QUERN_RUNTIME_SRC_ACTOR_CALL_CHAIN_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class CallChain {
 public:
  // `asker` waits, and `outer` (may be null; a count is added) wait for it.
  static CallChain* Local(Cell* asker, CallChain* outer);
  // Paths that came from a peer, the first asker first; null when there are none.
  static CallChain* FromPaths(const std::vector<std::string>& paths);

  void AddRef() { refs_.fetch_add(1, std::memory_order_relaxed); }
  static void Release(CallChain* chain);  // null is fine

  // Number of askers.
  int depth() const { return depth_; }
  // Is this cell (or, for askers on other nodes, this path) among the askers?
  bool Contains(uint64_t cell_id, std::string_view path) const;
  bool has_remote() const { return has_remote_; }

  // The first asker first.
  std::vector<std::string> Paths() const;

  // One an asking turn: from the worker's magazines.
  static void* operator new(size_t bytes);
  static void operator delete(void* memory, size_t bytes);

 private:
  CallChain(Cell* asker, std::string remote_path, CallChain* outer);
  ~CallChain();

  std::atomic<uint32_t> refs_{1};
  const int depth_;
  bool has_remote_;
  Cell* const asker_;  // counted; null for an asker on another node
  const std::string remote_path_;
  CallChain* const outer_;
};

// FAILED_PRECONDITION, ask_cycle: "/a asks /b asks /a, which waits for its own answer".
Status CycleError(const CallChain& chain, std::string_view target);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_CALL_CHAIN_H_
