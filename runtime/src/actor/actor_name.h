// What an actor is called among its siblings: the name that it was given, or, spawned without one,
// "$" and its cell's id in base 62. Nothing is stored for such a name; no given one begins so.
//
//   ActorName name = cell->name();   // while the cell lives
//   path += name.text();
//   ActorName::IdOf("$1C")           // 74; of "worker", "$", "$0", "$x/y": none
//
// Makes nothing on the heap: a crash reporter writes names, too.

#ifndef QUERN_RUNTIME_SRC_ACTOR_ACTOR_NAME_H_
#define QUERN_RUNTIME_SRC_ACTOR_ACTOR_NAME_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quern::internal {

class ActorName {
 public:
  static constexpr char kGeneratedMark = '$';

  explicit ActorName(std::string_view given) : given_(given) {}
  // Not 0.
  explicit ActorName(uint64_t id) {
    for (; id != 0; id /= kDigits.size()) text_[--begin_] = kDigits[id % kDigits.size()];
    text_[--begin_] = kGeneratedMark;
  }

  std::string_view text() const {
    return begin_ == kTextBytes ? given_ : std::string_view(text_ + begin_, kTextBytes - begin_);
  }

  // The id in a generated name; none: it is not one.
  static std::optional<uint64_t> IdOf(std::string_view name) {
    const bool marked = name.size() > 1 && name.size() <= kTextBytes && name[0] == kGeneratedMark;
    if (!marked || name[1] == kDigits[0]) return std::nullopt;
    uint64_t id = 0;
    for (const char c : name.substr(1)) {
      const size_t digit = kDigits.find(c);
      if (digit == kDigits.npos) return std::nullopt;
      if (__builtin_mul_overflow(id, kDigits.size(), &id)) return std::nullopt;
      if (__builtin_add_overflow(id, digit, &id)) return std::nullopt;
    }
    return id;
  }

 private:
  static constexpr std::string_view kDigits =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  static constexpr size_t kTextBytes = 1 + 11;  // 62^11 is more than 2^64

  std::string_view given_;
  size_t begin_ = kTextBytes;
  char text_[kTextBytes];
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_ACTOR_NAME_H_
