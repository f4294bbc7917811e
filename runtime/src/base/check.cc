#include "quern/runtime/check.h"

#include <unistd.h>
#include <cstdlib>
#include <cstring>
#include <string>

namespace quern::internal {

void CheckFailed(const char* file, int line, const char* expression) {
  const char* slash = std::strrchr(file, '/');
  const std::string text = std::string(slash != nullptr ? slash + 1 : file) + ":" +
                           std::to_string(line) + ": bug: " + expression + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  std::abort();
}

}  // namespace quern::internal
