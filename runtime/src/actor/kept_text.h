// A text that whoever asks first has made, and that is kept from then on.
//
//   KeptText path;
//   std::string_view text = path.Get([&] { return Path(); });   // lives as long as `path`
//
// Thread-safe.

#ifndef QUERN_RUNTIME_SRC_ACTOR_KEPT_TEXT_H_
#define QUERN_RUNTIME_SRC_ACTOR_KEPT_TEXT_H_

#include <atomic>
#include <string>
#include <string_view>

namespace quern::internal {

class KeptText {
 public:
  KeptText() = default;
  ~KeptText() { delete text_.load(std::memory_order_acquire); }
  KeptText(const KeptText&) = delete;
  KeptText& operator=(const KeptText&) = delete;

  // `make` returns the same whoever calls it; two may at once, and one of them is heard.
  template <typename F>
  std::string_view Get(const F& make) {
    const std::string* kept = text_.load(std::memory_order_acquire);
    return kept != nullptr ? *kept : *Keep(new std::string(make()));
  }

 private:
  const std::string* Keep(const std::string* made) {
    const std::string* kept = nullptr;
    if (text_.compare_exchange_strong(kept, made, std::memory_order_acq_rel)) return made;
    delete made;
    return kept;
  }

  std::atomic<const std::string*> text_{nullptr};
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_KEPT_TEXT_H_
