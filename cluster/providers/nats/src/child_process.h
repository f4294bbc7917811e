// One child process whose output is read line by line and that dies with the thread that started
// it. For one thread.

#ifndef QUERN_CLUSTER_SRC_CHILD_PROCESS_H_
#define QUERN_CLUSTER_SRC_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quern/runtime/status.h"

namespace quern::cluster {

// A file descriptor, closed on destruction.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }

 private:
  int fd_;
};

class ChildProcess {
 public:
  // `arguments[0]` is the program's path. Its standard input is empty, standard output and error
  // come here. Errors carry the reason of exec.
  static StatusOr<std::unique_ptr<ChildProcess>> Spawn(const std::vector<std::string>& arguments);

  // Kills and reaps.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  int output_fd() const { return output_.get(); }  // readable: call ReadLines
  int exit_fd() const { return exit_.get(); }      // readable: call Reap

  // The whole lines that have arrived. Never blocks.
  std::vector<std::string> ReadLines();

  void Signal(int signal);

  // "exit 1", "signal 9". Blocks until the child has ended.
  std::string Reap();

 private:
  ChildProcess(pid_t pid, UniqueFd output, UniqueFd exit)
      : pid_(pid), output_(std::move(output)), exit_(std::move(exit)) {}

  const pid_t pid_;
  UniqueFd output_;
  UniqueFd exit_;
  std::string partial_line_;
  std::string ended_;  // what Reap returned
};

}  // namespace quern::cluster

#endif  // QUERN_CLUSTER_SRC_CHILD_PROCESS_H_
