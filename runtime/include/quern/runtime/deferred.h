// The right to answer an ask after its handler has returned: from a later message, from a callback
// of some library, from any thread.
//
//   void On(const Fetch& m, quern::Deferred<Page> page) {
//     client_.Get(m.url, [page = std::move(page)](std::string body) mutable {
//       page.Answer(Page{std::move(body)});
//     });
//   }
//
// Move-only: there is one, so an ask is answered once. One that is destroyed unanswered answers
// ABORTED. The deadline of the ask runs on meanwhile; an answer that comes after it, or after the
// asker has gone, is dropped and counted as a dead letter. A Deferred may outlive its actor and its
// System. For a tell it is empty. A handler that throws after it has given its Deferred away leaves
// the answer to whoever has it.
//
// One thread at a time, like any value; that thread may be any.

#ifndef QUERN_RUNTIME_DEFERRED_H_
#define QUERN_RUNTIME_DEFERRED_H_

#include <memory>
#include <utility>

#include "quern/runtime/internal/cell.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/status.h"

namespace quern {

class Context;

namespace internal {

// A Deferred without the type of its answer.
class DeferredReply {
 public:
  DeferredReply() = default;
  // Empty for a tell. On the turn that is about to handle `envelope`.
  DeferredReply(Envelope* envelope, Context& context);
  DeferredReply(DeferredReply&& other) noexcept
      : envelope_(std::exchange(other.envelope_, nullptr)), cell_(std::move(other.cell_)) {}
  DeferredReply& operator=(DeferredReply&& other) noexcept {
    std::swap(envelope_, other.envelope_);
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~DeferredReply() {
    if (envelope_ != nullptr) Drop();
  }

  bool wanted() const;
  bool empty() const { return envelope_ == nullptr; }

  // Null: nobody waits, and this is empty from now on. Else memory for the reply; then Finish().
  void* Claim();
  void Finish();

 private:
  void Drop();

  Envelope* envelope_ = nullptr;
  CellPtr<Cell> cell_;  // whose handler it was
};

}  // namespace internal

template <typename R>
class Deferred {
 public:
  // Empty.
  Deferred() = default;

  // Answers with a value or a Status that is not OK (Deferred<void>: with a Status), once: this is
  // empty afterwards. False: it was empty, or nobody waits any more. Thread-safe in the sense
  // above, never suspends.
  bool Answer(internal::ReplySlot<R> reply) {
    void* slot = reply_.Claim();
    if (slot == nullptr) return false;
    std::construct_at(static_cast<internal::ReplySlot<R>*>(slot), std::move(reply));
    reply_.Finish();
    return true;
  }

  // Somebody still waits for the answer. Never suspends.
  bool wanted() const { return reply_.wanted(); }

  // True until it is answered or moved from, unless it came with a tell.
  explicit operator bool() const { return !reply_.empty(); }

  // For the runtime itself.
  explicit Deferred(internal::DeferredReply reply) : reply_(std::move(reply)) {}

 private:
  internal::DeferredReply reply_;
};

}  // namespace quern

#endif  // QUERN_RUNTIME_DEFERRED_H_
