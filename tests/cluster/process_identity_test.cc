#include "node/process_identity.h"

#include <array>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quern::cluster {
namespace {

Member MemberOf(const ProcessIdentity& process) {
  Member member;
  member.pid = process.pid;
  member.pid_start_time = process.start_time;
  member.boot_id = process.boot_id;
  return member;
}

char StateOf(uint64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return '?';
  return line.at(line.rfind(')') + 2);
}

// A child process that tells its identity, then waits to be killed.
class Child {
 public:
  // `live` gets the write end of the pipe and does not return.
  explicit Child(void (*live)(int)) {
    std::array<int, 2> pipe_ends{};
    EXPECT_EQ(pipe(pipe_ends.data()), 0);
    pid_ = fork();
    if (pid_ == 0) live(pipe_ends[1]);
    close(pipe_ends[1]);
    uint64_t start_time = 0;
    EXPECT_EQ(read(pipe_ends[0], &start_time, sizeof(start_time)),
              static_cast<ssize_t>(sizeof(start_time)));
    close(pipe_ends[0]);
    identity_ = OwnProcessIdentity();
    identity_.pid = static_cast<uint64_t>(pid_);
    identity_.start_time = start_time;
  }
  ~Child() {
    Kill();
    Reap();
  }

  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void Reap() {
    if (pid_ == 0) return;
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  const ProcessIdentity& identity() const { return identity_; }

 private:
  pid_t pid_ = 0;
  ProcessIdentity identity_;
};

void TellStartTime(int pipe_end) {
  const uint64_t start_time = OwnProcessIdentity().start_time;
  if (write(pipe_end, &start_time, sizeof(start_time)) != sizeof(start_time)) _exit(1);
}

[[noreturn]] void PauseForEver() {
  while (true) pause();
}

[[noreturn]] void LiveInMain(int pipe_end) {
  TellStartTime(pipe_end);
  PauseForEver();
}

[[noreturn]] void LiveInASecondThread(int pipe_end) {
  const std::thread second([] { PauseForEver(); });
  TellStartTime(pipe_end);
  syscall(SYS_exit, 0);  // this thread alone; pthread_exit() would unwind into the test's frames
  PauseForEver();
}

TEST(ProcessIdentityTest, TheCallerIsNotGone) {
  const ProcessIdentity own = OwnProcessIdentity();
  EXPECT_GT(own.start_time, 0u);
  EXPECT_FALSE(own.boot_id.empty());
  EXPECT_FALSE(ProcessIsGone(MemberOf(own), own));
}

TEST(ProcessIdentityTest, AKilledProcessIsGoneAsAZombieAndAfterwards) {
  Child child(&LiveInMain);
  const Member member = MemberOf(child.identity());
  EXPECT_FALSE(ProcessIsGone(member, OwnProcessIdentity()));

  child.Kill();
  EXPECT_TRUE(ProcessIsGone(member, OwnProcessIdentity()));

  child.Reap();
  EXPECT_TRUE(ProcessIsGone(member, OwnProcessIdentity()));
}

TEST(ProcessIdentityTest, AProcessThatLivesOnWithoutItsMainThreadIsNotGone) {
  Child child(&LiveInASecondThread);
  const Member member = MemberOf(child.identity());
  while (StateOf(member.pid) != 'Z') std::this_thread::yield();

  EXPECT_FALSE(ProcessIsGone(member, OwnProcessIdentity()));

  child.Kill();
  EXPECT_TRUE(ProcessIsGone(member, OwnProcessIdentity()));
}

TEST(ProcessIdentityTest, AnotherProcessWithTheSamePidIsNotTheMember) {
  const ProcessIdentity own = OwnProcessIdentity();
  Member older = MemberOf(own);
  older.pid_start_time -= 1;
  EXPECT_TRUE(ProcessIsGone(older, own));
}

TEST(ProcessIdentityTest, OfAnotherMachineOrWithoutAnIdentityNothingIsKnown) {
  const ProcessIdentity own = OwnProcessIdentity();
  Member elsewhere = MemberOf(own);
  elsewhere.pid_start_time -= 1;
  elsewhere.boot_id = "another boot";
  EXPECT_FALSE(ProcessIsGone(elsewhere, own));

  Member silent = MemberOf(own);
  silent.pid_start_time = 0;
  EXPECT_FALSE(ProcessIsGone(silent, own));
}

}  // namespace
}  // namespace quern::cluster
