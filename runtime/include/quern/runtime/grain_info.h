// What is known of the grains that are active here, asked without waking one.
//
//   if (auto cart = system.Peek<CartApi>("42")) std::cout << cart->messages << " wait\n";
//   quern::GrainListOptions next{.kind = "cart", .limit = 100};
//   for (;;) {
//     const quern::GrainPage page = system.ListGrains(next);
//     for (const quern::GrainInfo& grain : page.grains) std::cout << grain.id << "\n";
//     if (!page.next.has_value()) break;
//     next.after = page.next;
//   }
//
// Value types: a picture of one moment, each grain at its own.

#ifndef QUERN_RUNTIME_GRAIN_INFO_H_
#define QUERN_RUNTIME_GRAIN_INFO_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/epoch.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/limits.h"

namespace quern {

enum class ActivationState : uint8_t { kActivating, kActive, kDeactivating };

struct GrainInfo {
  GrainId id = {};
  Epoch epoch = {};
  ActivationState state = ActivationState::kActivating;
  // When OnActivate returned OK; nothing before, and when it never did.
  std::optional<Time> active_since = {};
  // Since the last message that counted as activity; zero while it activates.
  Duration idle = Duration::zero();
  // Accepted and not yet handled, with the one that is being handled; ticks are not counted.
  size_t messages = 0;
  // Activations of this identity: 1, or how many stateless workers there are (GrainOptions); the
  // rest is then told of the oldest, messages of all, idle of the busiest.
  size_t workers = 1;
};

struct GrainListOptions {
  std::string kind = {};              // empty: all kinds
  std::optional<GrainId> after = {};  // begins behind that grain: GrainPage::next
  size_t limit = kGrainPageDefault;   // of a page; at most kGrainPageMax, at least 1
};

// In the order of kind and key. A grain that is here all the while stands on exactly one page.
struct GrainPage {
  std::vector<GrainInfo> grains;
  std::optional<GrainId> next;  // nothing: the last page
};

}  // namespace quern

#endif  // QUERN_RUNTIME_GRAIN_INFO_H_
