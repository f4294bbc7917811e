#include "actor/call_chain.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "mailbox/worker_blocks.h"
#include "quern/runtime/limits.h"

namespace quern::internal {
namespace {

constexpr std::string_view kOpenMark = "(reentrant) ";

}  // namespace

CallChain::CallChain(Cell* asker, std::string remote_path, CallChain* outer, Kind kind)
    : depth_(outer == nullptr ? 1 : outer->depth_ + 1),
      has_remote_(asker == nullptr || (outer != nullptr && outer->has_remote_)),
      kind_(kind),
      has_links_(kind.is_link || (outer != nullptr && outer->has_links_)),
      link_(kind.is_link ? Link::kNone : Link::kWithAskers),
      asker_(asker),
      remote_path_(std::move(remote_path)),
      outer_(outer) {
  if (asker_ != nullptr) asker_->AddRef();
  if (outer_ != nullptr) outer_->AddRef();
}

CallChain::~CallChain() {
  if (asker_ != nullptr) asker_->Release();
}

void* CallChain::operator new(size_t bytes) { return AllocateBlock(bytes, BlockClassFor(bytes)); }

// Not inlined: the compiler would take the free() in it for one too many.
[[gnu::noinline]] void CallChain::operator delete(void* memory, size_t bytes) {
  FreeBlockMemory(memory, BlockClassFor(bytes));
}

CallChain* CallChain::Local(Cell* asker, CallChain* outer, bool open) {
  return new CallChain(asker, std::string(), outer, {.open = open});
}

CallChain* CallChain::Unawaited(Cell* asker, CallChain* outer, bool open) {
  // Nobody may ever wait: such links may lead on for ever, and the far end is cut off.
  if (outer != nullptr && outer->depth() >= kCallChainMax) outer = nullptr;
  return new CallChain(asker, std::string(), outer, {.is_link = true, .open = open});
}

CallChain* CallChain::FromPaths(const std::vector<std::string>& paths) {
  CallChain* chain = nullptr;
  for (const std::string& path : paths) {
    auto* inner = new CallChain(nullptr, path, chain, {});
    Release(chain);
    chain = inner;
  }
  return chain;
}

void CallChain::Release(CallChain* chain) {
  while (chain != nullptr && chain->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    CallChain* outer = chain->outer_;
    delete chain;
    chain = outer;
  }
}

// Null where the chain of those that wait ends.
const CallChain* CallChain::NextWaiting() const {
  return link_.load(std::memory_order_seq_cst) == Link::kWithAskers ? outer_ : nullptr;
}

bool CallChain::Finds(const Cell& cell) const {
  return has_remote_ ? Finds(cell, cell.Path()) : Finds(cell, std::string_view());
}

bool CallChain::Finds(const Cell& cell, std::string_view path) const {
  for (const CallChain* c = this; c != nullptr; c = c->NextWaiting()) {
    if (c->asker_ != nullptr ? c->asker_->id() != cell.id() : c->remote_path_ != path) continue;
    if (c->kind_.open) continue;
    if (!c->kind_.is_link) return true;
    c->asked_back_.store(true, std::memory_order_seq_cst);
    if (c->link_.load(std::memory_order_seq_cst) != Link::kNone) return true;
  }
  return false;
}

bool CallChain::LeadsThrough(const Cell& cell) const {
  const std::string path = has_remote_ ? cell.Path() : std::string();
  for (const CallChain* c = this; c != nullptr; c = c->outer_) {
    if (c->asker_ != nullptr) {
      if (c->asker_->id() == cell.id()) return true;
      continue;
    }
    std::string_view asker = c->remote_path_;
    if (asker.starts_with(kOpenMark)) asker.remove_prefix(kOpenMark.size());
    if (asker == path) return true;
  }
  return false;
}

std::vector<std::string> CallChain::Paths() const {
  std::vector<std::string> paths;
  for (const CallChain* c = this; c != nullptr; c = c->NextWaiting()) {
    if (c->link_.load(std::memory_order_seq_cst) == Link::kNone) break;
    std::string path = c->asker_ != nullptr ? c->asker_->Path() : c->remote_path_;
    if (c->kind_.open) path.insert(0, kOpenMark);
    paths.push_back(std::move(path));
  }
  std::reverse(paths.begin(), paths.end());
  return paths;
}

Status CycleError(const CallChain& chain, std::string_view target) {
  const std::vector<std::string> paths = chain.Paths();
  const std::string name(target);
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat("ask cycle: ", absl::StrJoin(paths, " asks "), " asks ", name,
                                     ", which already waits for this answer")),
                    Reason::kAskCycle);
}

}  // namespace quern::internal
