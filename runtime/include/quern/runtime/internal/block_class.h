// The sizes in which a worker keeps memory for messages (src/mailbox/magazine.h), known here so
// that the class of a message is found when it is compiled.

#ifndef QUERN_RUNTIME_INTERNAL_BLOCK_CLASS_H_
#define QUERN_RUNTIME_INTERNAL_BLOCK_CLASS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace quern::internal {

// What malloc has no waste for.
inline constexpr size_t kBlockBytes[] = {56, 72, 104, 120, 136, 168, 200, 264, 520};
inline constexpr int kBlockClasses = std::size(kBlockBytes);
inline constexpr uint8_t kUnpooledClass = kBlockClasses;

// By steps of 16 bytes above the second.
inline constexpr uint8_t kBlockClassOfSteps[] = {1, 2, 2, 3, 4, 5, 5, 6, 6, 7, 7, 7, 7, 8, 8,
                                                 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8};

// The smallest one of so many bytes; kUnpooledClass: malloc.
constexpr uint8_t BlockClassFor(size_t bytes) {
  constexpr size_t kStep = 16;
  if (bytes <= kBlockBytes[0]) return 0;
  if (bytes <= kBlockBytes[1]) return 1;
  const size_t steps = (bytes - kBlockBytes[1] + kStep - 1) / kStep;
  return steps < std::size(kBlockClassOfSteps) ? kBlockClassOfSteps[steps] : kUnpooledClass;
}
constexpr size_t BlockBytes(uint8_t block_class) { return kBlockBytes[block_class]; }

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_BLOCK_CLASS_H_
