#include "flights/child_process.h"

#include <fcntl.h>
#include <google/protobuf/message_lite.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "flights/limits.h"

namespace flights {
namespace {

constexpr int kExitNoExec = 127;

quern::Status SystemError(const std::string& what) {
  const int error = errno;
  const std::string text = what + ": " + std::strerror(error);
  if (error == EAGAIN || error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOSPC) {
    return absl::ResourceExhaustedError(text);
  }
  return absl::InternalError(text);
}

struct Prepared {
  const char* executable;
  char* const* arguments;
  int control_fd;
  int output_fd;
  pid_t parent;
};

// Between fork and exec in a program with threads: system calls only, no allocation.
[[noreturn]] void RunChild(const Prepared& p) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != p.parent) ::_exit(kExitNoExec);  // the parent died before the line above
  ::setpgid(0, 0);  // the terminal's Ctrl-C is for the parent, which stops its children in order
  ::dup2(p.output_fd, STDOUT_FILENO);
  ::dup2(p.output_fd, STDERR_FILENO);
  // When they are one descriptor, dup2 does nothing and close-on-exec stays.
  if (p.control_fd == kControlFd) {
    ::fcntl(kControlFd, F_SETFD, 0);
  } else {
    ::dup2(p.control_fd, kControlFd);
  }
  ::close_range(kControlFd + 1, ~0U, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(p.executable, p.arguments);
  ::_exit(kExitNoExec);
}

}  // namespace

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

int OwnedFd::release() { return std::exchange(fd_, -1); }

quern::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Options& options) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemError("cannot make a control channel");
  }
  OwnedFd ours(ends[0]), theirs(ends[1]);
  const OwnedFd output(
      ::open(options.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (output.get() < 0) return SystemError("cannot write " + options.output_path);

  std::vector<std::string> words = options.arguments;
  words.insert(words.begin(), options.executable);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const Prepared prepared = {.executable = options.executable.c_str(),
                             .arguments = argv.data(),
                             .control_fd = theirs.get(),
                             .output_fd = output.get(),
                             .parent = ::getpid()};

  const pid_t pid = ::fork();
  if (pid == 0) RunChild(prepared);
  if (pid < 0) return SystemError("cannot start another process");
  OwnedFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.get() < 0) {
    const quern::Status error = SystemError("cannot watch process " + std::to_string(pid));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, std::move(pidfd), std::move(ours)));
}

ChildProcess::ChildProcess(pid_t pid, OwnedFd pidfd, OwnedFd control)
    : pid_(pid), pidfd_(std::move(pidfd)), control_(std::move(control)) {}

ChildProcess::~ChildProcess() {
  if (ended_) return;
  Signal(SIGKILL).IgnoreError();
  WaitForExit();
}

quern::Status ChildProcess::Signal(int signal) {
  if (!ended_ && ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0) {
    return absl::OkStatus();
  }
  return absl::NotFoundError("process " + std::to_string(pid_) + " has ended");
}

std::string ChildProcess::WaitForExit() {
  if (ended_) return *ended_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    ended_ =
        "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  } else {
    ended_ = "exit " + std::to_string(WEXITSTATUS(status));
  }
  return *ended_;
}

quern::Status SendControl(int fd, const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  while (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
    if (errno != EINTR)
      return absl::UnavailableError("the other end of the control channel has gone");
  }
  return absl::OkStatus();
}

quern::StatusOr<bool> ReceiveControl(int fd, google::protobuf::MessageLite* message) {
  std::string bytes(kControlBytesMax, '\0');
  ssize_t n;
  while ((n = ::recv(fd, bytes.data(), bytes.size(), MSG_TRUNC)) < 0 && errno == EINTR) {
  }
  if (n <= 0) return false;
  if (static_cast<size_t>(n) > bytes.size() ||
      !message->ParseFromArray(bytes.data(), static_cast<int>(n))) {
    return absl::DataLossError("malformed message on a control channel");
  }
  return true;
}

}  // namespace flights
