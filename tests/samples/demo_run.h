// Runs the demo program itself, with a folder for temporary files of its own.

#ifndef QUERN_TESTS_SAMPLES_DEMO_RUN_H_
#define QUERN_TESTS_SAMPLES_DEMO_RUN_H_

#include <sys/types.h>

#include <cstdio>
#include <set>
#include <string>
#include <vector>

namespace flights {

class DemoRun {
 public:
  explicit DemoRun(std::vector<std::string> arguments);
  ~DemoRun();  // kills it and waits
  DemoRun(const DemoRun&) = delete;
  DemoRun& operator=(const DemoRun&) = delete;

  // Reads standard output up to a line that holds `text`; false when it ends before.
  bool ReadUntil(const std::string& text);

  // Reads the rest and waits for the end; the exit code, or minus the signal.
  int Wait();

  // Processes whose parent is the program, now.
  std::set<pid_t> Children() const;

  // One of them, by a word of its command line; 0 when there is none.
  pid_t Child(const std::string& word) const;

  pid_t pid() const { return pid_; }
  const std::string& output() const { return output_; }  // standard output so far
  std::string errors() const;                            // standard error so far
  const std::string& folder() const { return folder_; }  // its TMPDIR

 private:
  std::string folder_;
  std::string errors_path_;
  pid_t pid_ = 0;
  std::FILE* out_ = nullptr;
  std::string output_;
};

// Waits until none of them runs.
void WaitUntilGone(const std::set<pid_t>& pids);

}  // namespace flights

#endif  // QUERN_TESTS_SAMPLES_DEMO_RUN_H_
