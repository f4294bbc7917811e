#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asio/socket.h"
#include "quern/remoting/asio_io.h"
#include "quern/remoting/limits.h"
#include "quern/remoting/network.h"

namespace quern::remoting {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// A node with its own I/O thread.
struct Node final : public NetworkHandler {
  explicit Node(const std::string& name, const std::string& listen = "127.0.0.1:0",
                const std::string& cluster = "test", Duration handshake_timeout = 3s) {
    io = *AsioIo::Start({.name = name});
    Network::Options options;
    options.identity.cluster_id = cluster;
    options.identity.node_id = name;
    // From the kernel each time: a forked process has a copy of SystemRandom's state.
    EXPECT_EQ(::getrandom(options.identity.process_id.data(), 16, 0), 16);
    options.listen_address = listen;
    options.handshake_timeout = handshake_timeout;
    io->Run([&] {
      network = *Network::Start(options, io->transport(), *io, SystemClock(), SystemRandom(), this);
    });
    identity = network->identity();
  }
  ~Node() override {
    io->Run([&] { network.reset(); });
    io->Stop();
  }

  // As of the end of whatever the I/O thread is at.
  uint64_t closed(CloseReason reason) {
    NetworkStats stats;
    io->Run([&] { stats = network->stats(); });
    return stats.closed[reason];
  }
  PeerAddress address() const { return {identity.advertised_address, identity.process_id}; }

  void OnUserMessage(const NodeIdentity&, UserMessage message, ReplyUser reply) override {
    if (reply) {
      reply(UserReply{.status = {}, .body = "re: " + message.body});
    } else {
      received.fetch_add(1);
      if (message.body == "last") last.set_value();
    }
  }
  void OnSystemMessage(const NodeIdentity&, SystemBody body, ReplySystem reply) override {
    if (reply) reply(std::move(body));
  }
  void OnSessionUp(const NodeIdentity&) override { ups.fetch_add(1); }
  void OnSessionDown(const SessionEnd& end) override { down.set_value(end.how); }
  void OnHigherViewVersion(const NodeIdentity&, uint64_t) override {}
  Status AdmitPeer(const NodeIdentity&) override { return absl::OkStatus(); }

  std::unique_ptr<AsioIo> io;
  std::unique_ptr<Network> network;
  NodeIdentity identity;
  std::atomic<int> received{0};
  std::atomic<int> ups{0};
  std::promise<void> last;
  std::promise<StreamEnd> down;
};

UserMessage Letter(std::string body) {
  UserMessage message;
  message.grain = GrainId("box", "k");
  message.type_name = "test.Letter";
  message.body = std::move(body);
  message.deadline = SystemClock().Now() + 20s;
  return message;
}

UserReply AskAndWait(Node& from, const PeerAddress& to, std::string body) {
  std::promise<UserReply> promise;
  from.network->Ask(to, Letter(std::move(body)),
                    [&](UserReply reply) { promise.set_value(std::move(reply)); });
  return promise.get_future().get();
}

TEST(AsioIoTest, RunsWhatIsPostedInOrder) {
  auto io = *AsioIo::Start({.name = "test"});
  std::vector<int> order;

  for (int i = 0; i < 1000; ++i) io->Post([&order, i] { order.push_back(i); });
  io->Run([] {});

  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(AsioIoTest, TimersRunInOrderOfTheirDueTime) {
  auto io = *AsioIo::Start({.name = "test"});
  std::promise<void> end;
  std::vector<int> order;

  io->PostAfter(30ms, [&] { order.push_back(3); });
  io->PostAfter(10ms, [&] { order.push_back(1); });
  io->Post([&] { io->PostAfter(20ms, [&] { order.push_back(2); }); });
  io->PostAfter(40ms, [&] { end.set_value(); });
  end.get_future().wait();

  EXPECT_THAT(order, ::testing::ElementsAre(1, 2, 3));
}

TEST(AsioIoTest, ACancelledTimerDoesNotRun) {
  auto io = *AsioIo::Start({.name = "test"});
  std::promise<void> end;
  bool ran = false;

  const Executor::TimerId id = io->PostAfter(10ms, [&] { ran = true; });
  EXPECT_TRUE(io->Cancel(id));
  EXPECT_FALSE(io->Cancel(id));
  EXPECT_FALSE(io->Cancel(12345));
  io->PostAfter(20ms, [&] { end.set_value(); });
  end.get_future().wait();

  EXPECT_FALSE(ran);
}

TEST(AsioIoTest, AStoppedOneDestroysWhatItIsGivenUnrun) {
  auto io = *AsioIo::Start({.name = "test"});
  auto watched = std::make_shared<int>();
  bool ran = false;

  io->PostAfter(1h, [watched, &ran] { ran = true; });
  io->Stop();
  io->Post([watched, &ran] { ran = true; });
  io->PostAfter(0s, [watched, &ran] { ran = true; });

  EXPECT_FALSE(io->Run([] {}));
  EXPECT_EQ(watched.use_count(), 1);
  EXPECT_FALSE(ran);
}

// Its own client and server, with the events as futures.
struct RawEvents final : public StreamEvents {
  void OnBytes(std::string_view bytes) override {
    got += bytes;
    if (got.size() >= wanted) enough.set_value();
  }
  void OnWritable() override { ++writable; }
  void OnEnd(StreamEnd how) override { end.set_value(how); }
  std::unique_ptr<Stream> stream;
  std::string got;
  size_t wanted = SIZE_MAX;
  int writable = 0;
  std::promise<void> enough;
  std::promise<StreamEnd> end;
};

class AsioTransportTest : public ::testing::Test {
 protected:
  ~AsioTransportTest() override {
    io_->Run([this] {
      client_.stream.reset();
      server_.stream.reset();
      listener_.reset();
    });
    io_->Stop();
  }

  std::string Listen() {
    std::string address;
    io_->Run([&] {
      listener_ = *io_->transport().Listen("127.0.0.1:0", [this](std::unique_ptr<Stream> stream) {
        server_.stream = std::move(stream);
        accepted_.set_value();
        return &server_;
      });
      address = listener_->bound_address();
    });
    return address;
  }

  Status Connect(const std::string& address) {
    std::promise<Status> done;
    io_->Post([&] {
      io_->transport().Connect(address, 5s, &client_,
                               [&](StatusOr<std::unique_ptr<Stream>> stream) {
                                 if (stream.ok()) client_.stream = *std::move(stream);
                                 done.set_value(stream.status());
                               });
    });
    return done.get_future().get();
  }

  std::unique_ptr<AsioIo> io_ = *AsioIo::Start({.name = "test"});
  std::unique_ptr<Listener> listener_;
  RawEvents client_;
  RawEvents server_;
  std::promise<void> accepted_;
};

TEST_F(AsioTransportTest, MoreThanTheKernelTakesArrivesWhole) {
  constexpr size_t kBytes = 32u << 20;
  server_.wanted = kBytes;
  ASSERT_TRUE(Connect(Listen()).ok());
  size_t unsent = 0;

  io_->Run([&] {
    for (size_t i = 0; i < 32; ++i) {
      client_.stream->Write(std::string(kBytes / 32, static_cast<char>('a' + i % 26)));
    }
    unsent = client_.stream->unsent_bytes();
  });
  server_.enough.get_future().wait();

  EXPECT_GT(unsent, 0u);
  EXPECT_EQ(server_.got.size(), kBytes);
  EXPECT_EQ(server_.got.front(), 'a');
  EXPECT_EQ(server_.got.back(), 'f');
}

TEST_F(AsioTransportTest, ACloseSendsWhatWasWrittenFirst) {
  constexpr size_t kBytes = 8u << 20;
  ASSERT_TRUE(Connect(Listen()).ok());

  io_->Run([&] {
    client_.stream->Write(std::string(kBytes, 'x'));
    client_.stream->Close();
    client_.stream.reset();
  });

  EXPECT_EQ(server_.end.get_future().get(), StreamEnd::kFin);
  EXPECT_EQ(server_.got.size(), kBytes);
}

TEST_F(AsioTransportTest, APortWhereNobodyListensRefuses) {
  const std::string address = Listen();
  io_->Run([this] { listener_.reset(); });

  const Status status = Connect(address);

  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(AsioTransportTest, WhatIsNoAddressIsSaidSo) {
  for (const char* address : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
                              "example.org:80", "[::1:80", "300.0.0.1:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Connect(address))) << address;
  }
}

TEST_F(AsioTransportTest, ATakenPortIsOneClearLine) {
  const std::string address = Listen();
  Status status;

  io_->Run(
      [&] { status = io_->transport().Listen(address, [](auto) { return nullptr; }).status(); });

  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              ::testing::AllOf(HasSubstr(address), HasSubstr("taken")));
  EXPECT_EQ(std::string(status.message()).find('\n'), std::string::npos);
}

TEST_F(AsioTransportTest, OnlyLoopbackIsServed) {
  for (const char* address : {"0.0.0.0:0", "10.1.2.3:0", "[::]:0"}) {
    Status status;
    io_->Run(
        [&] { status = io_->transport().Listen(address, [](auto) { return nullptr; }).status(); });
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << address << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("use 127.0.0.1:PORT"));
  }
}

TEST_F(AsioTransportTest, EverySocketIsClosedByExec) {
  ASSERT_TRUE(Connect(Listen()).ok());
  accepted_.get_future().wait();
  int sockets = 0;

  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error);
    if (error || target.find("socket:") == std::string::npos) continue;
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
        name.ss_family != AF_INET) {
      continue;  // inherited from whoever runs the test
    }
    ++sockets;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << fd;
  }

  EXPECT_GE(sockets, 3) << "listener, dialled and accepted";
}

// A socket that is bound to a port and dials it meets itself.
TEST(SocketTest, APortThatMeetsItselfIsNoticed) {
  auto fd = *NewSocket(*ParseAddress("127.0.0.1:0"));
  SocketAddress any = *ParseAddress("127.0.0.1:0");
  ASSERT_EQ(::bind(fd.get(), any.get(), any.bytes), 0);
  const SocketAddress own = LocalAddress(fd.get());

  ::connect(fd.get(), own.get(), own.bytes);

  EXPECT_TRUE(IsConnectedToItself(fd.get()));
}

// Another program on the other end of a connection to a node.
class Intruder {
 public:
  explicit Intruder(const std::string& address) {
    SocketAddress there = *ParseAddress(address);
    fd_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd_.get(), there.get(), there.bytes), 0);
  }
  void Say(std::string_view bytes) { ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // Until the other side ends.
  std::string Hear() {
    std::string heard;
    char bytes[4096];
    for (ssize_t n; (n = ::recv(fd_.get(), bytes, sizeof bytes, 0)) > 0;) {
      heard.append(bytes, static_cast<size_t>(n));
    }
    return heard;
  }

 private:
  Fd fd_;
};

TEST(AsioTest, GarbageIsCutWithoutAnAnswerAndCounted) {
  Node node("n");
  Intruder browser(node.identity.advertised_address);

  browser.Say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");

  EXPECT_EQ(browser.Hear(), "");
  EXPECT_EQ(node.closed(CloseReason::kBadMagic), 1u);
  Node other("o");
  EXPECT_TRUE(AskAndWait(other, node.address(), "still alive").status.ok());
}

TEST(AsioTest, SilenceIsCutWhenTheHandshakeIsDue) {
  Node node("n", "127.0.0.1:0", "test", 100ms);
  Intruder silent(node.identity.advertised_address);

  EXPECT_EQ(silent.Hear(), "");
  EXPECT_EQ(node.closed(CloseReason::kHandshakeTimeout), 1u);
}

TEST(AsioTest, AnotherClusterIsRefusedAndCounted) {
  Node a("a", "127.0.0.1:0", "one");
  Node b("b", "127.0.0.1:0", "two");

  const UserReply reply = AskAndWait(a, b.address(), "x");

  EXPECT_TRUE(absl::IsUnavailable(reply.status)) << reply.status;
  EXPECT_THAT(std::string(reply.status.message()), HasSubstr("cluster_id"));
  EXPECT_EQ(a.closed(CloseReason::kClusterId), 1u);
}

TEST(AsioTest, ANodeThatDialsItselfIsRefused) {
  Node a("a");

  const UserReply reply = AskAndWait(a, a.address(), "x");

  EXPECT_TRUE(absl::IsUnavailable(reply.status)) << reply.status;
  EXPECT_THAT(std::string(reply.status.message()), HasSubstr("self_connection"));
}

TEST(AsioTest, StrangersBeyondTheBoundAreTurnedAway) {
  Node node("n");
  std::vector<std::unique_ptr<Intruder>> strangers;

  for (size_t i = 0; i <= limits::kPendingHandshakesMax; ++i) {
    strangers.push_back(std::make_unique<Intruder>(node.identity.advertised_address));
  }

  EXPECT_EQ(strangers.back()->Hear(), "");
  EXPECT_EQ(node.closed(CloseReason::kLimit), 1u);
}

// Forks a process with a node of its own, to be killed.
struct KillableNode {
  KillableNode() {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      Node node("victim");
      const std::string line = node.identity.advertised_address;
      ProcessId process = node.identity.process_id;
      (void)!::write(fds[1], process.data(), process.size());
      (void)!::write(fds[1], line.data(), line.size());
      ::close(fds[1]);
      for (;;) ::pause();
    }
    ::close(fds[1]);
    EXPECT_EQ(::read(fds[0], address.process_id.data(), address.process_id.size()), 16);
    char bytes[64];
    for (ssize_t n; (n = ::read(fds[0], bytes, sizeof bytes)) > 0;) {
      address.address.append(bytes, static_cast<size_t>(n));
    }
    ::close(fds[0]);
  }
  ~KillableNode() { Kill(); }
  void Kill() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
  }
  pid_t pid = -1;
  PeerAddress address;
};

TEST(AsioTest, AKilledProcessEndsItsSessionAndItsAddressRefuses) {
  KillableNode victim;
  Node a("a");
  const auto probe = [&] {
    std::promise<ProbeResult> result;
    a.io->Post(
        [&] { a.network->Probe(victim.address, 5s, [&](ProbeResult r) { result.set_value(r); }); });
    return result.get_future().get();
  };
  ASSERT_TRUE(AskAndWait(a, victim.address, "alive?").status.ok());
  std::promise<void> called;
  a.io->Run([&] { a.network->KeepSession(victim.address); });
  a.network->CallSystem(victim.address, {.type = "test.Hello"}, 20s,
                        [&](StatusOr<SystemBody>) { called.set_value(); });
  called.get_future().wait();
  EXPECT_EQ(probe(), ProbeResult::kSameProcess);

  victim.Kill();

  EXPECT_THAT(a.down.get_future().get(), ::testing::AnyOf(StreamEnd::kFin, StreamEnd::kReset));
  EXPECT_EQ(probe(), ProbeResult::kRefused);
  EXPECT_TRUE(absl::IsUnavailable(AskAndWait(a, victim.address, "x").status));
}

TEST(AsioTest, AskCrossesLoopbackAndComesBack) {
  Node a("a");
  Node b("b");

  const UserReply reply = AskAndWait(a, b.address(), "hello");

  EXPECT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.body, "re: hello");
}

TEST(AsioTest, ManyThreadsTellWithoutLoss) {
  Node a("a");
  Node b("b");
  constexpr int kThreads = 4;
  constexpr int kEach = 20000;

  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          while (a.network->Tell(b.address(), Letter("x")) != Delivery::kAccepted) {
            std::this_thread::yield();
          }
        }
      });
    }
  }
  ASSERT_EQ(a.network->Tell(b.address(), Letter("last")), Delivery::kAccepted);
  b.last.get_future().wait();

  EXPECT_EQ(b.received.load(), kThreads * kEach + 1);
}

}  // namespace
}  // namespace quern::remoting
