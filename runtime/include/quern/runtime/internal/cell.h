// What a Ref points to: something that takes envelopes. Three kinds stand behind it: an actor's own
// cell, the proxy of a grain, the proxy of an actor on another node. Counted; outlives the actor
// and may outlive the system.

#ifndef QUERN_RUNTIME_INTERNAL_CELL_H_
#define QUERN_RUNTIME_INTERNAL_CELL_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "quern/runtime/delivery.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/reentrancy.h"

namespace quern {
struct SenderStamp;
}

namespace quern::internal {

class MailboxCell;
class SystemCore;

// What a Ref asks of an actor's life.
enum class LifeOrder : uint8_t { kRestart, kSuspend, kReinstate };

class Cell {
 public:
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  // Takes the envelope in every case; one that is refused has been answered and dead-lettered.
  // Thread-safe, never suspends.
  virtual Delivery Post(Envelope* envelope) = 0;

  // Several tells at once are worth it, for now. Thread-safe.
  virtual bool TakesChains() const { return false; }
  // Tells from one sender, linked in their order. As Post() for each. Thread-safe.
  virtual void PostChain(MailboxNode* first, MailboxNode* last);

  // "/parent/child" of an actor, "kind/key" of a grain, the address of a remote actor. Thread-safe.
  virtual std::string Path() const = 0;
  // The same, made once and kept: lives as long as the cell. Thread-safe.
  virtual std::string_view PathView() = 0;

  // Asks the target to stop; returns at once. Thread-safe. A grain's proxy does nothing.
  virtual void RequestStop() {}

  // Asks for it and returns at once. FAILED_PRECONDITION: not an actor of this process, or it
  // cannot be restarted; UNAVAILABLE: it has stopped. Thread-safe.
  virtual Status Request(LifeOrder order);

  // The system it belongs to; lives as long as the cell.
  virtual SystemCore* system_core() const = 0;

  // Who sends when a turn of this cell sends. Called on the cell's own turn. A grain's activation
  // fills in its GrainId and Epoch; the default is the id alone.
  virtual void FillSender(SenderStamp* stamp) const;

  // Unique in the process; never 0, never reused.
  uint64_t id() const { return id_; }

  void AddRef() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) Dispose();
  }

 protected:
  explicit Cell(uint64_t id) : id_(id) {}
  // Nobody but the caller has a count.
  bool unshared() const { return refs_.load(std::memory_order_acquire) == 1; }
  virtual ~Cell() = default;
  // Frees the memory.
  virtual void Dispose() noexcept { delete this; }

 private:
  const uint64_t id_;
  std::atomic<uint32_t> refs_{1};
};

// An intrusive counted pointer to a Cell or to one of its kinds.
template <typename C>
class CellPtr {
 public:
  CellPtr() = default;
  // Adopts one count; use Share() to add one.
  static CellPtr Adopt(C* cell) {
    CellPtr p;
    p.cell_ = cell;
    return p;
  }
  static CellPtr Share(C* cell) {
    if (cell != nullptr) cell->AddRef();
    return Adopt(cell);
  }
  CellPtr(const CellPtr& other) noexcept : cell_(other.cell_) {
    if (cell_ != nullptr) cell_->AddRef();
  }
  CellPtr(CellPtr&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  CellPtr& operator=(CellPtr other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~CellPtr() {
    if (cell_ != nullptr) cell_->Release();
  }

  C* get() const { return cell_; }
  C* operator->() const { return cell_; }
  C& operator*() const { return *cell_; }
  explicit operator bool() const { return cell_ != nullptr; }
  C* release() { return std::exchange(cell_, nullptr); }

 private:
  C* cell_ = nullptr;
};

// Tell and Ask behind the templates (src/actor/ask.cc). `cell` may be null: an empty Ref.
Delivery PostTell(Cell* cell, Envelope* envelope);
// Sends, suspends the fiber (blocks a plain thread) and returns true when the reply stands in
// `slot`; else `*status` says why not.
bool AskAndWait(Cell* cell, Envelope* envelope, void* slot, const AskOptions& options,
                Status* status);
// A timeout that says: the system's default.
inline constexpr Duration kDefaultTimeout = Duration::min();

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_CELL_H_
