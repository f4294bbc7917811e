// Runs gdb with runtime/gdb/quern_gdb.py on a living program and on a core that gdb has made of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr bool kAddressSanitized =
#if defined(__SANITIZE_ADDRESS__)
    true;
#else
    false;
#endif
constexpr bool kThreadSanitized =
#if defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

// What a shell command prints, errors too.
std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "cannot run a shell";
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    output.append(buffer, got);
  }
  ::pclose(pipe);
  return output;
}

std::string Gdb(const std::string& on, const std::vector<std::string>& commands) {
  std::string line = absl::StrCat("gdb -nx -batch -iex 'set debuginfod enabled off' ", on, " -x '",
                                  QUERN_GDB_SCRIPT, "'");
  for (const std::string& command : commands) absl::StrAppend(&line, " -ex '", command, "'");
  return OutputOf(line);
}

// The program that is looked at; it ends with this object or with the test's process.
class Target {
 public:
  Target() {
    int ends[2];
    if (::pipe(ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::execl(QUERN_GDB_TARGET, QUERN_GDB_TARGET, static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(ends[1]);
    char letter = 0;
    while (::read(ends[0], &letter, 1) == 1 && letter != '\n') said_ += letter;
    ::close(ends[0]);
  }
  ~Target() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  bool ready() const { return said_ == "ready"; }
  std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
  std::string said_;
};

constexpr char kActors[] =
    "system \"shop\": 2 workers\n"
    "/bounded  Cart  running, 2 queued\n"
    "/bounded/stock  Stock  running, 0 queued\n"
    "/cart  Cart  running, 3 queued\n"
    "/cart/stock  Stock  running, 0 queued\n";
constexpr char kOtherActors[] =
    "system \"bank\": 1 workers\n"
    "/idle  Stock  running, 0 queued\n"
    "/suspended  Stock  suspended, 1 queued\n";
constexpr char kCartWaits[] =
    "/cart  in AddItem for at least 812 ms: asks /cart/stock Reserve; 3 queued";
constexpr char kStockWaits[] = "/cart/stock  in Reserve for at least 812 ms: waits; 0 queued";
constexpr char kGrainWaits[] = "tally/ledger  in Wait for at least 812 ms: waits; 0 queued";

class GdbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kThreadSanitized) GTEST_SKIP() << "ThreadSanitizer's stacks are not found by the script";
    if (!absl::StrContains(OutputOf("gdb --version"), "GNU gdb")) {
      GTEST_SKIP() << "gdb is not installed";
    }
  }
};

TEST_F(GdbTest, ShowsActorsAndStacksOfALivingProcessAndOfItsCore) {
  const std::vector<std::string> look = {"quern actors", "quern parked", "quern bt /cart"};
  const auto shows_it =
      AllOf(HasSubstr(kActors), HasSubstr(kOtherActors), HasSubstr(kCartWaits),
            HasSubstr(kStockWaits), HasSubstr(kGrainWaits),
            HasSubstr("quern::internal::AskAndWait"), Not(HasSubstr("Context::Sleep")));
  const std::string core = absl::StrCat(::testing::TempDir(), "quern_gdb_test.core.", ::getpid());
  Target target;
  ASSERT_TRUE(target.ready());

  std::vector<std::string> live = look;
  // A sanitizer's shadow memory makes a core of many gigabytes.
  if (!kAddressSanitized) live.push_back(absl::StrCat("generate-core-file ", core));
  const std::string seen = Gdb(absl::StrCat("-p ", target.pid()), live);
  if (absl::StrContains(seen, "Operation not permitted")) {
    GTEST_SKIP() << "no permission to trace processes: " << seen;
  }
  EXPECT_THAT(seen, shows_it);
  if (kAddressSanitized) return;
  EXPECT_THAT(Gdb(absl::StrCat(QUERN_GDB_TARGET, " ", core), look), shows_it);
  ::unlink(core.c_str());
}

TEST_F(GdbTest, ShowsAPartOfTheTreeAndTheStackOfAnyHandler) {
  Target target;
  ASSERT_TRUE(target.ready());

  const std::string seen = Gdb(absl::StrCat("-p ", target.pid()),
                               {"quern actors /cart/stock", "echo --\\n", "quern bt /cart/stock",
                                "quern actors /nobody", "quern bt /nobody", "quern bt"});

  if (absl::StrContains(seen, "Operation not permitted")) {
    GTEST_SKIP() << "no permission to trace processes: " << seen;
  }
  EXPECT_THAT(seen, HasSubstr("\n/cart/stock  Stock  running, 0 queued\nsystem \"bank\""));
  EXPECT_THAT(seen, Not(HasSubstr("/cart  Cart")));
  EXPECT_THAT(seen, HasSubstr("quern::Context::Sleep"));
  EXPECT_THAT(seen, HasSubstr("quern: there is no actor /nobody"));
  EXPECT_THAT(seen, HasSubstr("quern: no handler of /nobody waits: see `quern parked`"));
  EXPECT_THAT(seen, HasSubstr("quern: bt needs a path, or `all`: see `quern parked`"));
}

TEST_F(GdbTest, SaysWhatIsMissing) {
  EXPECT_THAT(Gdb(QUERN_GDB_TARGET, {"quern actors"}),
              HasSubstr("quern: no process: attach to one"));
  EXPECT_THAT(Gdb("", {"quern parked"}), HasSubstr("this is no program of Quern"));
  EXPECT_THAT(Gdb("", {"help quern"}), HasSubstr("quern bt PATH|all"));
}

}  // namespace
