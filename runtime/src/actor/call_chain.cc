#include "actor/call_chain.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "mailbox/magazine.h"

namespace quern::internal {

CallChain::CallChain(Cell* asker, std::string remote_path, CallChain* outer)
    : depth_(outer == nullptr ? 1 : outer->depth_ + 1),
      has_remote_(asker == nullptr || (outer != nullptr && outer->has_remote_)),
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

void CallChain::operator delete(void* memory, size_t bytes) {
  FreeBlockMemory(memory, BlockClassFor(bytes));
}

CallChain* CallChain::Local(Cell* asker, CallChain* outer) {
  return new CallChain(asker, std::string(), outer);
}

CallChain* CallChain::FromPaths(const std::vector<std::string>& paths) {
  CallChain* chain = nullptr;
  for (const std::string& path : paths) {
    auto* inner = new CallChain(nullptr, path, chain);
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

bool CallChain::Contains(uint64_t cell_id, std::string_view path) const {
  for (const CallChain* c = this; c != nullptr; c = c->outer_) {
    if (c->asker_ != nullptr ? c->asker_->id() == cell_id : c->remote_path_ == path) return true;
  }
  return false;
}

std::vector<std::string> CallChain::Paths() const {
  std::vector<std::string> paths;
  for (const CallChain* c = this; c != nullptr; c = c->outer_) {
    paths.push_back(c->asker_ != nullptr ? c->asker_->Path() : c->remote_path_);
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
