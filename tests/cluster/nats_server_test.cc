#include "quern/cluster/nats_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "control_plane_conformance.h"
#include "free_port.h"
#include "nats_test_server.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

// True when the process has ended, or does within half a minute. Need not be a child.
bool AwaitEnd(int pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return true;
  pollfd poll_fd{fd, POLLIN, 0};
  const int ended = poll(&poll_fd, 1, 30'000);
  close(fd);
  return ended == 1;
}

// Sets a variable of the environment for the length of a test.
class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value, 1);
  }
  ~EnvironmentVariable() { old_.empty() ? unsetenv(name_) : setenv(name_, old_.c_str(), 1); }

 private:
  const char* const name_;
  std::string old_;
};

TEST(NatsServerTest, ServesOnLoopbackOutsideTheEphemeralRangeAndStops) {
  const TempFolder folder;
  auto server = NatsServer::Start({.data_folder = folder.path() + "/made/by/it"});
  ASSERT_TRUE(server.ok()) << server.status();
  const PortRange ephemeral = EphemeralRange();
  const int pid = (*server)->pid();
  EXPECT_TRUE((*server)->port() < ephemeral.first || (*server)->port() > ephemeral.last);
  EXPECT_EQ((*server)->url(), "nats://127.0.0.1:" + std::to_string((*server)->port()));
  ASSERT_TRUE(NatsControlPlane::Connect({.url = (*server)->url(), .cluster = "c"}).ok());

  (*server)->Stop();
  (*server)->Stop();

  EXPECT_EQ((*server)->pid(), 0);
  EXPECT_TRUE(AwaitEnd(pid));
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(NatsServerTest, AMissingProgramIsNamedWithTheFix) {
  const TempFolder folder;
  const auto named = NatsServer::Start({.data_folder = folder.path(), .program = "no-such-server"});
  const EnvironmentVariable variable("QUERN_NATS_SERVER", "/no/such/nats-server");
  const auto by_variable = NatsServer::Start({.data_folder = folder.path()});

  EXPECT_TRUE(absl::IsNotFound(named.status())) << named.status();
  EXPECT_EQ(named.status().message(),
            "no-such-server not found: apt-get install nats-server, or set QUERN_NATS_SERVER to "
            "its path");
  EXPECT_EQ(by_variable.status().message(),
            "/no/such/nats-server is not a program: set QUERN_NATS_SERVER to nats-server");
}

TEST(NatsServerTest, AProgramThatIsNoServerIsReportedWithItsLastWords) {
  const TempFolder folder;
  const std::string script = folder.path() + "/script";
  std::ofstream(script) << "#!/bin/sh\necho 'this is not it' >&2\nexit 3\n";
  chmod(script.c_str(), 0755);
  const std::string garbage = folder.path() + "/garbage";
  std::ofstream(garbage) << "\x01\x02";
  chmod(garbage.c_str(), 0755);

  const auto wrong = NatsServer::Start({.data_folder = folder.path(), .program = script});
  const auto no_program = NatsServer::Start({.data_folder = folder.path(), .program = garbage});

  EXPECT_EQ(wrong.status().message(),
            "nats-server ended (exit 3) before it was ready: this is not it");
  EXPECT_FALSE(no_program.ok());
}

TEST(NatsServerTest, AServerThatIsNeverReadyIsGivenUp) {
  const TempFolder folder;
  const std::string script = folder.path() + "/script";
  std::ofstream(script) << "#!/bin/sh\nexec cat /dev/zero >/dev/null\n";
  chmod(script.c_str(), 0755);

  const auto server =
      NatsServer::Start({.data_folder = folder.path(), .program = script, .start_timeout = 200ms});

  EXPECT_TRUE(absl::IsDeadlineExceeded(server.status())) << server.status();
}

TEST(NatsServerTest, ATakenPortIsNamedWithTheFix) {
  const TempFolder folder;
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(taken, 1), 0);
  ASSERT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t port = ntohs(address.sin_port);

  const auto server = NatsServer::Start({.data_folder = folder.path(), .port = port});
  close(taken);

  EXPECT_TRUE(absl::IsAlreadyExists(server.status())) << server.status();
  EXPECT_EQ(server.status().message(),
            "nats-server: port " + std::to_string(port) +
                " is taken: stop what listens there or choose another port");
}

TEST(NatsServerTest, ADataFolderThatCannotBeMadeIsNamedWithTheFix) {
  const auto server = NatsServer::Start({.data_folder = "/proc/no/such/folder"});

  EXPECT_TRUE(absl::IsPermissionDenied(server.status())) << server.status();
  EXPECT_NE(std::string(server.status().message()).find("choose another folder"),
            std::string::npos);
}

TEST(NatsServerTest, OneThatDiesServesAgainOnItsData) {
  NatsTestServer server;
  const auto plane = server.Connect({.url = {}, .cluster = "c"});
  const CasResult created = Calls(*plane).Create("c.a", "kept");
  ASSERT_STREQ(Name(created.outcome), "applied");
  const int pid = server.server().pid();

  server.KillAndAwaitRestart();

  EXPECT_NE(server.server().pid(), pid);
  EXPECT_EQ(server.server().restarts(), 1);
  const auto again = server.Connect({.url = {}, .cluster = "c"});
  EXPECT_EQ(Calls(*again).Get("c.a")->value, "kept");
}

TEST(NatsServerTest, OneThatKeepsDyingIsGivenUpAfterItsRestarts) {
  const TempFolder folder;
  std::promise<std::string> gave_up;
  std::promise<void> restarted;
  const auto server = NatsServer::Start({.data_folder = folder.path(),
                                         .restarts_max = 1,
                                         .on_event = [&](const NatsServerEvent& event) {
                                           if (event.kind == NatsServerEvent::Kind::kRestarted)
                                             restarted.set_value();
                                           if (event.kind == NatsServerEvent::Kind::kGaveUp)
                                             gave_up.set_value(event.detail);
                                         }});
  ASSERT_TRUE(server.ok()) << server.status();

  kill((*server)->pid(), SIGKILL);
  ASSERT_EQ(restarted.get_future().wait_for(30s), std::future_status::ready);
  kill((*server)->pid(), SIGKILL);
  auto reason = gave_up.get_future();
  ASSERT_EQ(reason.wait_for(30s), std::future_status::ready);

  EXPECT_EQ(reason.get(), "nats-server died (signal 9) on port " +
                              std::to_string((*server)->port()) + " for good");
  EXPECT_EQ((*server)->pid(), 0);
}

TEST(NatsServerTest, AKilledParentLeavesNoChild) {
  const TempFolder folder;
  const std::string command = std::string(QUERN_NATS_SERVER_HOLDER) + " " + folder.path();
  FILE* const holder = popen(command.c_str(), "r");
  ASSERT_NE(holder, nullptr);
  int parent = 0;
  int child = 0;
  ASSERT_EQ(std::fscanf(holder, "%d %d", &parent, &child), 2);
  ASSERT_EQ(kill(child, 0), 0);

  kill(parent, SIGKILL);

  EXPECT_TRUE(AwaitEnd(child));
  pclose(holder);
}

}  // namespace
}  // namespace quern::cluster
