// Who waits for the answer to an ask, from the first asker to the last: a counted list, shared by
// every ask of one turn and read by whoever handles them.
//
// An ask that is awaited later has a link of its own, which says whether its asker waits by now. As
// long as it does not, the link and those before it are no part of the chain.

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
  // `asker` waits, and `outer` (may be null; a count is added) wait for it. `open`: the asker goes
  // on handling messages meanwhile, and may be asked.
  static CallChain* Local(Cell* asker, CallChain* outer, bool open);
  // The link of an ask that nobody awaits yet.
  static CallChain* Unawaited(Cell* asker, CallChain* outer, bool open);
  // Paths that came from a peer, the first asker first; null when there are none.
  static CallChain* FromPaths(const std::vector<std::string>& paths);

  void AddRef() { refs_.fetch_add(1, std::memory_order_relaxed); }
  static void Release(CallChain* chain);  // null is fine

  // Number of askers, waiting or not.
  int depth() const { return depth_; }
  // Is this cell (or, for askers on other nodes, its path) among those that wait? One that does not
  // wait yet learns that it has been asked back.
  bool Contains(const Cell& cell) const {
    const bool alone = outer_ == nullptr && asker_ != nullptr;  // as most are
    return (!alone || asker_->id() == cell.id()) && Finds(cell);
  }

  // This cell (or its path) is among the askers, whether they wait by now or not, open or not.
  bool LeadsThrough(const Cell& cell) const;

  // Of a link: whether its asker waits, and whether those wait that it was asked by.
  enum class Link : uint8_t { kNone, kAsker, kWithAskers };
  void SetAwaited(Link link) { link_.store(link, std::memory_order_seq_cst); }
  // Somebody that this link leads to has asked the asker.
  bool asked_back() const { return asked_back_.load(std::memory_order_seq_cst); }
  bool open() const { return kind_.open; }
  // There are links in it.
  bool has_links() const { return has_links_; }
  const Cell* asker() const { return asker_; }
  const CallChain* outer() const { return outer_; }

  // Those that wait, the first asker first; "(reentrant) " before one that is open. No path begins
  // so: elsewhere it is not taken for one that may not be asked.
  std::vector<std::string> Paths() const;

  // One an asking turn: from the worker's magazines.
  static void* operator new(size_t bytes);
  static void operator delete(void* memory, size_t bytes);

 private:
  struct Kind {
    bool is_link = false;
    bool open = false;
  };
  CallChain(Cell* asker, std::string remote_path, CallChain* outer, Kind kind);
  const CallChain* NextWaiting() const;
  // `path` is the cell's, or empty when nobody in the chain is known by it.
  bool Finds(const Cell& cell, std::string_view path) const;
  bool Finds(const Cell& cell) const;
  ~CallChain();

  std::atomic<uint32_t> refs_{1};
  const int depth_;
  const bool has_remote_;
  const Kind kind_;
  const bool has_links_;
  std::atomic<Link> link_;
  mutable std::atomic<bool> asked_back_{false};
  Cell* const asker_;  // counted; null for an asker on another node
  const std::string remote_path_;
  CallChain* const outer_;
};

// FAILED_PRECONDITION, ask_cycle: "/a asks /b asks /a, which waits for its own answer".
Status CycleError(const CallChain& chain, std::string_view target);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_CALL_CHAIN_H_
