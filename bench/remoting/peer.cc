#include "peer.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <semaphore>
#include <string_view>
#include <utility>

namespace quern::bench {
namespace {

constexpr std::string_view kServe = "--serve";

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace

Peer::Peer(const std::string& name) {
  remoting::AsioIo::Options io_options{.name = name};
  if (const char* spin = std::getenv("QUERN_BENCH_SPIN_US"); spin != nullptr) {
    io_options.spin = std::chrono::microseconds(std::atoi(spin));
  }
  io = *remoting::AsioIo::Start(io_options);
  remoting::Network::Options options;
  options.identity.cluster_id = "bench";
  options.identity.node_id = name;
  for (uint8_t& byte : options.identity.process_id) {
    byte = static_cast<uint8_t>(SystemRandom().Next());
  }
  io->Run([&] {
    network = *remoting::Network::Start(options, io->transport(), *io, SystemClock(),
                                        SystemRandom(), this);
  });
}

Peer::~Peer() {
  io->Run([this] { network.reset(); });
  io->Stop();
}

void Peer::OnUserMessage(const remoting::NodeIdentity&, remoting::UserMessage message,
                         ReplyUser reply) {
  if (reply) {
    reply(remoting::UserReply{.status = {}, .body = std::move(message.body)});
  } else {
    received.fetch_add(1, std::memory_order_relaxed);
  }
}

void Peer::Barrier(const remoting::PeerAddress& peer) {
  std::binary_semaphore done(0);
  network->Ask(peer, SmallMessage(8, SystemClock().Now() + std::chrono::seconds(60)),
               [&](remoting::UserReply reply) {
                 if (!reply.status.ok()) Die(reply.status.ToString().c_str());
                 done.release();
               });
  done.acquire();
}

remoting::UserMessage SmallMessage(size_t bytes, Time deadline) {
  remoting::UserMessage message;
  message.grain = GrainId("counter", "page/home");
  message.type_name = "bench.Tick";
  message.body.assign(bytes, 'x');
  message.deadline = deadline;
  return message;
}

PeerProcess::PeerProcess() {
  int to_child[2];
  int from_child[2];
  if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) Die("pipe");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) Die("fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    ::execl("/proc/self/exe", "remoting_bench", kServe.data(), nullptr);
    ::_exit(1);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  stdin_ = to_child[1];
  // The process id, then the address up to the end of the line.
  std::FILE* out = ::fdopen(from_child[0], "r");
  if (std::fread(address_.process_id.data(), 1, address_.process_id.size(), out) !=
      address_.process_id.size()) {
    Die("the peer process did not start");
  }
  for (int c = std::fgetc(out); c != '\n' && c != EOF; c = std::fgetc(out)) {
    address_.address.push_back(static_cast<char>(c));
  }
  std::fclose(out);
}

PeerProcess::~PeerProcess() {
  ::close(stdin_);  // its read ends
  ::waitpid(pid_, nullptr, 0);
}

int ServeIfAsked(int argc, char** argv) {
  if (argc < 2 || argv[1] != kServe) return -1;
  Peer peer("served");
  const remoting::PeerAddress address = peer.address();
  std::fwrite(address.process_id.data(), 1, address.process_id.size(), stdout);
  std::fputs((address.address + "\n").c_str(), stdout);
  std::fflush(stdout);
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
  return 0;
}

}  // namespace quern::bench
