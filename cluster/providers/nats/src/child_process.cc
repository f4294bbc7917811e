#include "child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace quern::cluster {
namespace {

constexpr size_t kLineBytesMax = 4096;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

StatusOr<Pipe> NewPipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Become(char* const* arguments, pid_t parent, int output, int error_report) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  // A group of its own: Ctrl-C is for the supervisor, which then stops its children in order.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above took effect
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  execv(arguments[0], arguments);
  const int why = errno;
  [[maybe_unused]] const ssize_t written = write(error_report, &why, sizeof why);
  _exit(127);
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Spawn(
    const std::vector<std::string>& arguments) {
  StatusOr<Pipe> output = NewPipe();
  StatusOr<Pipe> report = NewPipe();
  if (!output.ok()) return output.status();
  if (!report.ok()) return report.status();
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) Become(raw.data(), parent, output->write.get(), report->write.get());

  output->write = UniqueFd();
  report->write = UniqueFd();
  int why = 0;
  if (read(report->read.get(), &why, sizeof why) == static_cast<ssize_t>(sizeof why)) {
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(why, "run " + arguments[0]);
  }
  fcntl(output->read.get(), F_SETFL, O_NONBLOCK);
  // By number: glibc 2.36 declares pidfd_open without C linkage.
  UniqueFd exit(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (exit.get() < 0) {
    const int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(error, "pidfd_open");
  }
  return std::unique_ptr<ChildProcess>(
      new ChildProcess(pid, std::move(output->read), std::move(exit)));
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  Reap();
}

std::vector<std::string> ChildProcess::ReadLines() {
  std::vector<std::string> lines;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = read(output_.get(), buffer, sizeof buffer)) > 0) {
    for (const char c : std::string_view(buffer, static_cast<size_t>(count))) {
      if (c == '\n' || partial_line_.size() >= kLineBytesMax) {
        lines.push_back(std::exchange(partial_line_, {}));
      } else {
        partial_line_.push_back(c);
      }
    }
  }
  return lines;
}

// Not yet reaped, the pid is still this child's.
void ChildProcess::Signal(int signal) {
  if (ended_.empty()) kill(pid_, signal);
}

std::string ChildProcess::Reap() {
  if (!ended_.empty()) return ended_;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ended_ = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "exit " + std::to_string(WEXITSTATUS(status));
  return ended_;
}

}  // namespace quern::cluster
