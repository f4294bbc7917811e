#include "demo_run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace flights {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

DemoRun::DemoRun(std::vector<std::string> arguments) {
  folder_ = ::testing::TempDir() + "flights-demo-XXXXXX";
  EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
  errors_path_ = folder_ + "-errors";
  arguments.insert(arguments.begin(), FLIGHTS_PROGRAM);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(::open(errors_path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDERR_FILENO);
    ::setenv("TMPDIR", folder_.c_str(), 1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  out_ = ::fdopen(ends[0], "r");
}

DemoRun::~DemoRun() {
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::fclose(out_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  std::filesystem::remove(errors_path_, ignored);
}

bool DemoRun::ReadUntil(const std::string& text) {
  for (std::string line;;) {
    const int c = std::fgetc(out_);
    if (c == EOF) return false;
    output_ += static_cast<char>(c);
    line += static_cast<char>(c);
    if (c != '\n') continue;
    if (line.find(text) != std::string::npos) return true;
    line.clear();
  }
}

int DemoRun::Wait() {
  for (int c; (c = std::fgetc(out_)) != EOF;) output_ += static_cast<char>(c);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = 0;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::set<pid_t> DemoRun::Children() const {
  std::set<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // "pid (name) state parent ..": the name may hold anything, so look behind its last bracket.
    const std::string stat = ReadFile(entry.path() / "stat");
    const size_t bracket = stat.rfind(')');
    if (bracket == std::string::npos) continue;
    std::istringstream rest(stat.substr(bracket + 1));
    std::string state;
    pid_t parent = 0;
    rest >> state >> parent;
    if (parent == pid_) children.insert(static_cast<pid_t>(std::stol(stat)));
  }
  return children;
}

pid_t DemoRun::Child(const std::string& word) const {
  for (const pid_t child : Children()) {
    const std::string words = ReadFile("/proc/" + std::to_string(child) + "/cmdline");
    if (words.find(word) != std::string::npos) return child;
  }
  return 0;
}

std::string DemoRun::errors() const { return ReadFile(errors_path_); }

void WaitUntilGone(const std::set<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0) continue;  // gone and reaped
    pollfd entry = {.fd = pidfd, .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&entry, 1, 20'000), 1) << "process " << pid << " still runs";
    ::close(pidfd);
  }
}

}  // namespace flights
