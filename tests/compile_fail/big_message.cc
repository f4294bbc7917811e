// A message over 4 KiB by value.

#include <array>

#include "quern/runtime/system.h"

struct Page {
  std::array<char, 4097> bytes;
};
struct StoreApi : quern::Protocol<void(Page)> {};

void Save(const quern::Ref<StoreApi>& store) { store.Tell(Page{}); }
