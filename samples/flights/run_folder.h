// A folder of one run under the folder for temporary files, gone with this object unless told
// otherwise.

#ifndef QUERN_SAMPLES_FLIGHTS_RUN_FOLDER_H_
#define QUERN_SAMPLES_FLIGHTS_RUN_FOLDER_H_

#include <cstdint>
#include <string>

#include "quern/runtime/status.h"

namespace flights {

class RunFolder {
 public:
  RunFolder() = default;
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // RESOURCE_EXHAUSTED when less than `bytes_needed` are free there; FAILED_PRECONDITION when
  // nothing can be written. One line with the fix.
  quern::Status Make(uint64_t bytes_needed);

  // It is not removed after all.
  void Keep() { keep_ = true; }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool keep_ = false;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_RUN_FOLDER_H_
