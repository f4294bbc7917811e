#include "flights/child_process.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "flights.pb.h"
#include "temp_file.h"

namespace flights {
namespace {

std::unique_ptr<ChildProcess> Shell(const std::string& script, const std::string& output_path) {
  auto child = ChildProcess::Start(
      {.executable = "/bin/sh", .arguments = {"-c", script}, .output_path = output_path});
  EXPECT_TRUE(child.ok()) << child.status();
  return *std::move(child);
}

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Waits until `fd` can be read.
bool BecomesReadable(int fd) {
  pollfd entry = {.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 10'000) == 1;
}

TEST(ChildProcessTest, SaysHowTheChildEndedAndKeepsItsOutput) {
  TempFile log("log", "");
  const auto child = Shell("echo out; echo err >&2; exit 3", log.path());

  EXPECT_TRUE(BecomesReadable(child->exit_fd()));
  EXPECT_EQ(child->WaitForExit(), "exit 3");
  EXPECT_EQ(Contents(log.path()), "out\nerr\n");
  EXPECT_EQ(child->Signal(SIGKILL).code(), absl::StatusCode::kNotFound);
}

TEST(ChildProcessTest, AKilledChildNamesItsSignal) {
  TempFile log("log", "");
  const auto child = Shell("exec cat <&3", log.path());

  EXPECT_TRUE(child->Signal(SIGKILL).ok());

  EXPECT_EQ(child->WaitForExit(), "signal 9 (Killed)");
}

TEST(ChildProcessTest, AProgramThatIsNotThereEndsWith127) {
  TempFile log("log", "");
  auto child = ChildProcess::Start(
      {.executable = "/no/such/program", .arguments = {}, .output_path = log.path()});

  EXPECT_EQ((*child)->WaitForExit(), "exit 127");
}

TEST(ChildProcessTest, GoingOutOfScopeKillsAndReapsTheChild) {
  TempFile log("log", "");
  pid_t pid;
  {
    const auto child = Shell("exec cat <&3", log.path());
    pid = child->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(ChildProcessTest, MessagesCrossTheControlChannelWhole) {
  TempFile log("log", "");
  const auto child = Shell("exec cat <&3 >&3", log.path());
  v1::FromNode sent, received;
  for (int i = 0; i < 2000; ++i) sent.mutable_stats()->add_airports("ORD");

  ASSERT_TRUE(SendControl(child->control_fd(), sent).ok());
  ASSERT_TRUE(ReceiveControl(child->control_fd(), &received).value());

  EXPECT_EQ(received.SerializeAsString(), sent.SerializeAsString());
}

TEST(ChildProcessTest, TheChildSeesOnlyItsOwnDescriptors) {
  TempFile log("log", "");
  const auto child = Shell("cd /proc/self/fd && echo *", log.path());

  child->WaitForExit();

  // The shell's own glob may hold one more open while it reads the folder.
  EXPECT_THAT(Contents(log.path()), ::testing::MatchesRegex("0 1 2 3( [0-9]+)?\n"));
}

TEST(ChildProcessTest, TheEndOfTheChildIsTheEndOfItsChannel) {
  TempFile log("log", "");
  const auto child = Shell("exit 0", log.path());
  child->WaitForExit();

  v1::FromNode message;
  EXPECT_FALSE(ReceiveControl(child->control_fd(), &message).value());
  EXPECT_EQ(SendControl(child->control_fd(), message).code(), absl::StatusCode::kUnavailable);
}

// The middle process starts a child and is killed before it can clean up.
TEST(ChildProcessTest, AKilledParentTakesItsChildrenAlong) {
  TempFile log("log", "");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t middle = ::fork();
  if (middle == 0) {
    const auto child = Shell("exec cat <&3", log.path());
    const pid_t pid = child->pid();
    const bool told = ::write(ends[1], &pid, sizeof pid) == sizeof pid;
    ::raise(told ? SIGKILL : SIGABRT);
  }
  pid_t grandchild = 0;
  ASSERT_EQ(::read(ends[0], &grandchild, sizeof grandchild),
            static_cast<ssize_t>(sizeof grandchild));
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0));
  if (pidfd >= 0) {
    EXPECT_TRUE(BecomesReadable(pidfd));
    ::close(pidfd);
  }
  ::waitpid(middle, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace flights
