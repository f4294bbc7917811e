// There and back, beside a raw blocking TCP ping-pong of the same size that is measured in turns
// with it: round trips over sockets tell more about wake-ups of the machine than about a program.

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <semaphore>

#include "peer.h"

namespace quern::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRoundTrips = 500;  // a turn
constexpr size_t kPayload = 32;
constexpr size_t kRawBytes = 64;

void Check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

void NoDelay(int fd) {
  const int on = 1;
  Check(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

bool ReadAll(int fd, char* data, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    const ssize_t n = ::read(fd, data + got, bytes - got);
    if (n <= 0) return false;
    got += static_cast<size_t>(n);
  }
  return true;
}

// A forked echo server with blocking sockets.
class RawEcho {
 public:
  RawEcho() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    Check(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
    Check(::listen(listener, 1) == 0, "listen");
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      Serve(listener);
    }
    ::close(listener);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Check(::connect(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0, "connect");
    NoDelay(fd_);
  }
  ~RawEcho() {
    ::close(fd_);
    ::waitpid(pid_, nullptr, 0);
  }

  void RoundTrips(int count) {
    char bytes[kRawBytes] = {};
    for (int i = 0; i < count; ++i) {
      Check(::write(fd_, bytes, sizeof bytes) == sizeof bytes, "write");
      Check(ReadAll(fd_, bytes, sizeof bytes), "read");
    }
  }

 private:
  [[noreturn]] static void Serve(int listener) {
    const int fd = ::accept(listener, nullptr, nullptr);
    NoDelay(fd);
    char bytes[kRawBytes];
    while (ReadAll(fd, bytes, sizeof bytes)) {
      if (::write(fd, bytes, sizeof bytes) != sizeof bytes) break;
    }
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int fd_ = -1;
};

// Each answer asks the next, on the I/O thread: what an actor system's own layers build upon.
void AskChain(Peer& from, const remoting::PeerAddress& to, int count) {
  std::binary_semaphore done(0);
  int left = count;
  const Time deadline = SystemClock().Now() + std::chrono::seconds(60);
  std::function<void(remoting::UserReply)> next = [&](remoting::UserReply reply) {
    if (!reply.status.ok()) Check(false, reply.status.ToString().c_str());
    if (left-- == 0) return done.release();
    from.network->Ask(to, SmallMessage(kPayload, deadline), next);
  };
  from.io->Post([&] { next(remoting::UserReply{}); });
  done.acquire();
}

template <typename Turn>
double NanosOf(const Turn& turn) {
  const auto begin = SteadyClock::now();
  turn();
  return std::chrono::duration<double, std::nano>(SteadyClock::now() - begin).count() / kRoundTrips;
}

void BesideRawTcp(benchmark::State& state) {
  RawEcho raw;  // forks: before any thread of ours
  PeerProcess to;
  Peer from("asker");
  from.Barrier(to.address());
  double raw_ns = 0;
  double ask_ns = 0;
  for (auto _ : state) {
    raw_ns += NanosOf([&] { raw.RoundTrips(kRoundTrips); });
    const double ask = NanosOf([&] { AskChain(from, to.address(), kRoundTrips); });
    ask_ns += ask;
    state.SetIterationTime(ask * kRoundTrips / 1e9);
  }
  const auto turns = static_cast<double>(state.iterations());
  state.counters["raw_ns"] = raw_ns / turns;
  state.counters["ask_ns"] = ask_ns / turns;
  state.counters["ratio"] = ask_ns / raw_ns;
}

// As an ask from a program's own thread: two more hand-overs between threads.
void FromAThread(benchmark::State& state) {
  PeerProcess to;
  Peer from("asker");
  for (auto _ : state) from.Barrier(to.address());
}

// Many at once: what multiplexing gives.
void Concurrent(benchmark::State& state) {
  PeerProcess to;
  Peer from("asker");
  from.Barrier(to.address());
  constexpr int kAsks = 10000;
  for (auto _ : state) {
    std::counting_semaphore<kAsks> done(0);
    const Time deadline = SystemClock().Now() + std::chrono::seconds(60);
    for (int i = 0; i < kAsks; ++i) {
      from.network->Ask(to.address(), SmallMessage(kPayload, deadline),
                        [&](remoting::UserReply) { done.release(); });
    }
    for (int i = 0; i < kAsks; ++i) done.acquire();
  }
  state.SetItemsProcessed(state.iterations() * kAsks);
}

}  // namespace

void RegisterAskBenchmarks() {
  benchmark::RegisterBenchmark("ask/round trip beside raw TCP", BesideRawTcp)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("ask/from a thread", FromAThread)->UseRealTime();
  benchmark::RegisterBenchmark("ask/10000 at once", Concurrent)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace quern::bench
