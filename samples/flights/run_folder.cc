#include "flights/run_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "flights/report.h"

namespace flights {

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
}

quern::Status RunFolder::Make(uint64_t bytes_needed) {
  constexpr uint64_t kMiB = 1 << 20;
  std::error_code error;
  const std::string parent = std::filesystem::temp_directory_path(error).string();
  if (error) {
    return absl::FailedPreconditionError("no folder for temporary files: " + error.message() +
                                         "; set TMPDIR to one that exists");
  }
  const auto space = std::filesystem::space(parent, error);
  if (!error && space.available < bytes_needed) {
    return absl::ResourceExhaustedError(
        "no space: " + parent + " has " + WithCommas(space.available / kMiB) +
        " MiB free, the run needs " + WithCommas(bytes_needed / kMiB) +
        "; free some, or set TMPDIR to another folder");
  }
  std::string pattern = parent + "/quern-flights-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return absl::FailedPreconditionError("cannot make a folder in " + parent + ": " +
                                         std::strerror(errno) +
                                         "; set TMPDIR to one that is writable");
  }
  path_ = pattern;
  return absl::OkStatus();
}

}  // namespace flights
