#include "actor/cell_slots.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "actor/actor_cell.h"
#include "mailbox/worker_blocks.h"
#include "quern/runtime/check.h"

namespace quern::internal {
namespace {

constexpr size_t kSlotsMin = 16;
constexpr size_t kSlotsKept = 64;  // by who has no children left

// Of a large table no page is touched before it is used.
ActorCell** NewSlots(size_t capacity) {
  const size_t bytes = capacity * sizeof(ActorCell*);
  const uint8_t block_class = BlockClassFor(bytes);
  if (block_class != kUnpooledClass) {
    return static_cast<ActorCell**>(std::memset(AllocateBlock(bytes, block_class), 0, bytes));
  }
  void* zeroed = std::calloc(capacity, sizeof(ActorCell*));
  QUERN_CHECK(zeroed != nullptr);
  return static_cast<ActorCell**>(zeroed);
}

void FreeSlots(ActorCell** slots, size_t capacity) {
  if (slots != nullptr) FreeBlockMemory(slots, BlockClassFor(capacity * sizeof(ActorCell*)));
}

}  // namespace

CellSlots::~CellSlots() { FreeSlots(slots_, capacity_); }

void CellSlots::Add(ActorCell* cell) {
  if (capacity_ == 0) Resize(kSlotsMin);
  // A full house and not two of one mind: more room helps.
  if (SlotOf(cell->id()) != nullptr && size_ >= capacity_ / 2) Resize(capacity_ * 2);
  ++size_;
  Place(cell);
}

void CellSlots::Place(ActorCell* cell) {
  ActorCell*& slot = SlotOf(cell->id());
  if (slot == nullptr) {
    slot = cell;
  } else {
    displaced_.emplace(cell->id(), cell);
  }
}

void CellSlots::Remove(ActorCell* cell) {
  if (ActorCell*& slot = SlotOf(cell->id()); slot == cell) {
    slot = nullptr;
  } else {
    displaced_.erase(cell->id());
  }
  if (--size_ == 0 && capacity_ > kSlotsKept) {
    FreeSlots(std::exchange(slots_, nullptr), std::exchange(capacity_, 0));
    displaced_ = {};
  }
}

ActorCell* CellSlots::Find(uint64_t id) const {
  if (size_ == 0) return nullptr;
  if (ActorCell* cell = SlotOf(id); cell != nullptr && cell->id() == id) return cell;
  const auto it = displaced_.find(id);
  return it == displaced_.end() ? nullptr : it->second;
}

void CellSlots::Resize(size_t capacity) {
  ActorCell** const former = std::exchange(slots_, NewSlots(capacity));
  const size_t former_capacity = std::exchange(capacity_, capacity);
  const auto former_displaced = std::exchange(displaced_, {});
  for (size_t i = 0; i < former_capacity; ++i) {
    if (former[i] != nullptr) Place(former[i]);
  }
  for (const auto& [id, cell] : former_displaced) Place(cell);
  FreeSlots(former, former_capacity);
}

}  // namespace quern::internal
