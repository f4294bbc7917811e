// One actor's unnamed children, by id: eight bytes each, and one line of the cache for those who
// come one after the other. Ids of siblings are near each other, so a cell lies where the low bits
// of its id say; the few that find their slot taken are in a table beside it.
//
//   CellSlots slots;
//   slots.Add(cell);
//   slots.Find(cell->id()) == cell
//   slots.Remove(cell);
//
// Holds no counts. Under the lock of whoever has it.

#ifndef QUERN_RUNTIME_SRC_ACTOR_CELL_SLOTS_H_
#define QUERN_RUNTIME_SRC_ACTOR_CELL_SLOTS_H_

#include <cstddef>
#include <cstdint>

#include <absl/container/flat_hash_map.h>

namespace quern::internal {

class ActorCell;

class CellSlots {
 public:
  CellSlots() = default;
  ~CellSlots();
  CellSlots(const CellSlots&) = delete;
  CellSlots& operator=(const CellSlots&) = delete;

  // Not one that is there already.
  void Add(ActorCell* cell);
  // Of one that was added.
  void Remove(ActorCell* cell);
  // Null: none.
  ActorCell* Find(uint64_t id) const;

  size_t size() const { return size_; }
  // Of the slots; for tests.
  size_t capacity() const { return capacity_; }
  size_t displaced() const { return displaced_.size(); }

  template <typename F>
  void ForEach(F f) const {
    for (size_t i = 0; i < capacity_; ++i) {
      if (slots_[i] != nullptr) f(slots_[i]);
    }
    for (const auto& [id, cell] : displaced_) f(cell);
  }

 private:
  ActorCell*& SlotOf(uint64_t id) const { return slots_[id & (capacity_ - 1)]; }
  void Place(ActorCell* cell);
  void Resize(size_t capacity);

  ActorCell** slots_ = nullptr;
  size_t capacity_ = 0;  // a power of two, or none
  size_t size_ = 0;
  absl::flat_hash_map<uint64_t, ActorCell*> displaced_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_CELL_SLOTS_H_
