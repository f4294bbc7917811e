// What whoever needs it first makes, and what lives from then on as long as its owner.
//
//   MadeOnce<Watchers> watchers;
//   if (Watchers* have = watchers.IfAny(); have != nullptr) ...
//   watchers.Get().Add(id, watcher);
//
//   MadeOnce<const std::string> path;
//   std::string_view text = path.Get([&] { return Path(); });  // the same whoever calls it
//
// Thread-safe: two may make one at once, and one of them is kept.

#ifndef QUERN_RUNTIME_SRC_ACTOR_MADE_ONCE_H_
#define QUERN_RUNTIME_SRC_ACTOR_MADE_ONCE_H_

#include <atomic>
#include <cstdint>

namespace quern::internal {

template <typename T>
class MadeOnce {
 public:
  MadeOnce() = default;
  ~MadeOnce() {
    const uintptr_t kept = kept_.load(std::memory_order_acquire);
    if ((kept & kBorrowed) == 0) delete PointerOf(kept);
  }
  MadeOnce(const MadeOnce&) = delete;
  MadeOnce& operator=(const MadeOnce&) = delete;

  // Null: nobody has needed it.
  T* IfAny() const { return PointerOf(kept_.load(std::memory_order_seq_cst)); }

  T& Get() {
    return Get([] { return T(); });
  }
  template <typename F>
  T& Get(const F& make) {
    if (T* have = IfAny(); have != nullptr) return *have;
    auto* made = new T(make());
    T* const kept = Keep(reinterpret_cast<uintptr_t>(made));
    if (kept != made) delete made;
    return *kept;
  }

  // From here on `other` stands for what nobody has needed yet. It outlives this.
  T& GetOr(T* other) { return *Keep(reinterpret_cast<uintptr_t>(other) | kBorrowed); }

 private:
  static constexpr uintptr_t kBorrowed = 1;
  static T* PointerOf(uintptr_t kept) { return reinterpret_cast<T*>(kept & ~kBorrowed); }

  T* Keep(uintptr_t offered) {
    static_assert(alignof(T) > kBorrowed);
    uintptr_t kept = 0;
    const bool first = kept_.compare_exchange_strong(kept, offered, std::memory_order_seq_cst);
    return PointerOf(first ? offered : kept);
  }

  std::atomic<uintptr_t> kept_{0};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_MADE_ONCE_H_
