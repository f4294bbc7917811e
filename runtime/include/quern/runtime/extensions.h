// Things of one's own that actors need (a pool, a client, a configuration), found by type: those of
// the whole system, and those given to one actor at its spawn.
//
//   auto prices = std::make_shared<PriceTable>();
//   auto system = quern::System::Start({.extensions = quern::Extensions().With(prices)}).value();
//   ... in a handler:   context.Dependency<PriceTable>()->Of("ORD")
//
// A value: filled before it is handed over, shared and unchanged afterwards. Reading is
// thread-safe.

#ifndef QUERN_RUNTIME_EXTENSIONS_H_
#define QUERN_RUNTIME_EXTENSIONS_H_

#include <memory>
#include <utility>
#include <vector>

namespace quern {

namespace internal {
template <typename T>
inline constexpr char kTypeMark = 0;
}

class Extensions {
 public:
  // Adds one, or replaces the one of the same type.
  template <typename T>
  Extensions& Add(std::shared_ptr<T> what) {
    for (auto& [type, held] : held_) {
      if (type != &internal::kTypeMark<T>) continue;
      held = std::move(what);
      return *this;
    }
    held_.emplace_back(&internal::kTypeMark<T>, std::move(what));
    return *this;
  }
  // As Add, for use in an expression.
  template <typename T>
  Extensions&& With(std::shared_ptr<T> what) && {
    return std::move(Add(std::move(what)));
  }

  // Null: there is none of exactly this type. Valid as long as the holder.
  template <typename T>
  T* Find() const {
    for (const auto& [type, held] : held_) {
      if (type == &internal::kTypeMark<T>) return static_cast<T*>(held.get());
    }
    return nullptr;
  }

  bool empty() const { return held_.empty(); }

 private:
  std::vector<std::pair<const char*, std::shared_ptr<void>>> held_;  // shared: with the program
};

}  // namespace quern

#endif  // QUERN_RUNTIME_EXTENSIONS_H_
