// A process of one's own that never outlives its parent: it is killed when this object goes, and by
// the kernel when the parent dies, however it dies.
//
//   auto child = ChildProcess::Start({.executable = "/proc/self/exe", .arguments = {"node", ..},
//                                     .output_path = folder + "/node-1.log"});
//   (*child)->Signal(SIGSTOP);
//   poll on (*child)->exit_fd();       // readable once it has ended
//
// The child reads and writes whole messages on kControlFd, the parent on control_fd(); each sees
// the end of the other as end of file. No other descriptor is inherited. Owner only, and only from
// a thread that lives as long as the program: the kernel's kill follows the starting thread.

#ifndef QUERN_SAMPLES_FLIGHTS_CHILD_PROCESS_H_
#define QUERN_SAMPLES_FLIGHTS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quern/runtime/status.h"

namespace google::protobuf {
class MessageLite;
}

namespace flights {

inline constexpr int kControlFd = 3;

// A file descriptor that closes itself.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();

  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

class ChildProcess {
 public:
  struct Options {
    std::string executable;
    std::vector<std::string> arguments;  // without the program's own name
    std::string output_path;             // takes what it writes to standard output and error
  };

  // RESOURCE_EXHAUSTED or INTERNAL, with the system's reason.
  static quern::StatusOr<std::unique_ptr<ChildProcess>> Start(const Options& options);

  // Kills the process unless it has ended, and waits for its end.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // NOT_FOUND when it has ended.
  quern::Status Signal(int signal);

  // Waits for its end. "exit 3" or "signal 11 (Segmentation fault)". Blocks the thread.
  std::string WaitForExit();

  pid_t pid() const { return pid_; }
  int exit_fd() const { return pidfd_.get(); }
  int control_fd() const { return control_.get(); }

 private:
  ChildProcess(pid_t pid, OwnedFd pidfd, OwnedFd control);

  const pid_t pid_;
  const OwnedFd pidfd_;
  const OwnedFd control_;
  std::optional<std::string> ended_;
};

// Sends one message over a control channel. UNAVAILABLE when the other side has gone.
quern::Status SendControl(int fd, const google::protobuf::MessageLite& message);

// Takes one message off a control channel; false at its end. Blocks the thread until there is one.
quern::StatusOr<bool> ReceiveControl(int fd, google::protobuf::MessageLite* message);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_CHILD_PROCESS_H_
