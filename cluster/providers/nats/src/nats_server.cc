#include "quern/cluster/nats_server.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <thread>
#include <utility>

#include <absl/synchronization/notification.h>

#include "child_process.h"
#include "free_port.h"
#include "quern/runtime/random.h"

namespace quern::cluster {
namespace {

using namespace std::chrono_literals;

constexpr size_t kLinesKept = 20;
constexpr int kPortTries = 5;
constexpr Duration kStopPatience = 5s;

bool Contains(const std::string& line, const char* words) {
  return line.find(words) != std::string::npos;
}

// The server's last words, and what to do about them.
Status Diagnose(const std::deque<std::string>& lines, const std::string& ended, uint16_t port,
                const std::string& folder) {
  const std::string at = std::to_string(port);
  std::string last_words;
  for (const std::string& line : lines) {
    if (Contains(line, "address already in use")) {
      return absl::AlreadyExistsError("nats-server: port " + at +
                                      " is taken: stop what listens there or choose another port");
    }
    if (Contains(line, "no space left") || Contains(line, "insufficient storage")) {
      return absl::ResourceExhaustedError("nats-server: no space for its data in " + folder +
                                          ": free some or choose another folder");
    }
    if (Contains(line, "permission denied") || Contains(line, "could not create storage")) {
      return absl::PermissionDeniedError("nats-server: cannot write in " + folder +
                                         ": make it writable or choose another folder");
    }
    if (Contains(line, "[FTL]") || Contains(line, "[ERR]") || last_words.empty()) {
      last_words = line;
    }
  }
  return absl::UnavailableError("nats-server ended (" + ended + ") before it was ready: " +
                                (last_words.empty() ? "it said nothing" : last_words));
}

}  // namespace

class NatsServer::Supervisor {
 public:
  Supervisor(NatsServerOptions options, std::string program, uint16_t port)
      : options_(std::move(options)),
        program_(std::move(program)),
        port_(port),
        stop_(eventfd(0, EFD_CLOEXEC)),
        thread_([this] { Run(); }) {}

  ~Supervisor() { Stop(); }

  // Of the first start.
  Status WaitUntilReady() {
    ready_.WaitForNotification();
    return start_status_;
  }

  void Stop() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    if (thread_.joinable()) thread_.join();
  }

  uint16_t port() const { return port_; }
  int pid() const { return pid_; }
  int restarts() const { return restarts_; }

 private:
  enum class Wait : uint8_t { kReady, kDied, kStop, kTimeout };

  // This thread outlives every child: the kernel ends a child when the thread that forked it ends.
  void Run() {
    start_status_ = StartOne();
    const bool started = start_status_.ok();
    ready_.Notify();
    if (!started) return;
    while (WaitFor(kNever) == Wait::kDied) {
      const std::string ended = Reap();
      do {
        if (restarts_ >= options_.restarts_max) {
          return Tell(NatsServerEvent::Kind::kGaveUp, "nats-server died (" + ended + ") on port " +
                                                          std::to_string(port_) + " for good");
        }
        ++restarts_;
        Tell(NatsServerEvent::Kind::kDied, "nats-server died (" + ended + "), starting it again");
      } while (!Restarted());
    }
    EndChild();
  }

  bool Restarted() {
    const Status status = StartOne();
    if (!status.ok()) {
      options_.logger->Log(LogLevel::kError, std::string(status.message()), {});
      return absl::IsCancelled(status);  // Stop(): the next wait sees it again
    }
    Tell(NatsServerEvent::Kind::kRestarted, "nats-server serves again");
    return true;
  }

  Status StartOne() {
    lines_.clear();
    auto spawned = ChildProcess::Spawn({program_, "-js", "-a", "127.0.0.1", "-p",
                                        std::to_string(port_), "-sd", options_.data_folder, "-n",
                                        options_.name.empty() ? "quern" : options_.name});
    if (!spawned.ok()) return spawned.status();
    child_ = *std::move(spawned);
    pid_ = child_->pid();
    switch (WaitFor(SystemClock().Now() + options_.start_timeout)) {
      case Wait::kReady:
        return absl::OkStatus();
      case Wait::kDied: {
        const std::string ended = Reap();
        return Diagnose(lines_, ended, port_, options_.data_folder);
      }
      case Wait::kStop:
        EndChild();
        return absl::CancelledError("nats-server was stopped while it started");
      case Wait::kTimeout:
        EndChild();
        break;
    }
    return absl::DeadlineExceededError("nats-server was not ready in time on port " +
                                       std::to_string(port_) + ": see its data in " +
                                       options_.data_folder);
  }

  // Reads the child's log meanwhile. With a deadline it also returns when the server says that it
  // is ready.
  Wait WaitFor(Time deadline) {
    const bool starting = deadline != kNever;
    while (true) {
      pollfd fds[] = {{stop_.get(), POLLIN, 0},
                      {child_ ? child_->output_fd() : -1, POLLIN, 0},
                      {child_ ? child_->exit_fd() : -1, POLLIN, 0}};
      int timeout = -1;
      if (starting) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - SystemClock().Now());
        if (left <= 0ms) return Wait::kTimeout;
        timeout = static_cast<int>(left.count());
      }
      poll(fds, 3, timeout);
      const bool ready = TakeLines();
      if ((fds[0].revents & POLLIN) != 0) return Wait::kStop;
      if (starting && ready) return Wait::kReady;
      if ((fds[2].revents & POLLIN) != 0) return Wait::kDied;
    }
  }

  // True when the server said that it is ready.
  bool TakeLines() {
    bool ready = false;
    if (!child_) return ready;
    for (std::string& line : child_->ReadLines()) {
      ready |= Contains(line, "Server is ready");
      options_.logger->Log(LogLevel::kDebug, line, {{"port", port_}});
      lines_.push_back(std::move(line));
      if (lines_.size() > kLinesKept) lines_.pop_front();
    }
    return ready;
  }

  std::string Reap() {
    std::string ended = child_->Reap();
    TakeLines();
    pid_ = 0;
    child_.reset();
    return ended;
  }

  void EndChild() {
    if (!child_) return;
    child_->Signal(SIGTERM);
    pollfd fd{child_->exit_fd(), POLLIN, 0};
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kStopPatience);
    if (poll(&fd, 1, static_cast<int>(patience.count())) <= 0) child_->Signal(SIGKILL);
    Reap();
  }

  void Tell(NatsServerEvent::Kind kind, const std::string& detail) {
    options_.logger->Log(LogLevel::kWarn, detail, {{"port", port_}, {"restarts", restarts()}});
    if (options_.on_event) options_.on_event({kind, detail, restarts_});
  }

  const NatsServerOptions options_;
  const std::string program_;
  const uint16_t port_;
  const UniqueFd stop_;
  std::atomic<int> pid_{0};
  std::atomic<int> restarts_{0};
  absl::Notification ready_;
  Status start_status_;

  // The thread's own.
  std::unique_ptr<ChildProcess> child_;
  std::deque<std::string> lines_;

  std::thread thread_;  // last: it uses all above
};

StatusOr<std::string> NatsServer::Program(const std::string& program) {
  const char* const named = std::getenv("QUERN_NATS_SERVER");
  std::string wanted = program;
  if (wanted.empty() && named != nullptr) wanted = named;
  if (wanted.find('/') != std::string::npos) {
    if (access(wanted.c_str(), X_OK) == 0) return wanted;
    return absl::NotFoundError(wanted + " is not a program: set QUERN_NATS_SERVER to nats-server");
  }
  if (wanted.empty()) wanted = "nats-server";
  const char* const path = std::getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  folders += ":/usr/sbin:/usr/local/bin";  // Debian's is in /usr/sbin, on few users' PATH
  for (size_t begin = 0; begin <= folders.size();) {
    const size_t end = std::min(folders.find(':', begin), folders.size());
    std::string file = folders.substr(begin, end - begin) + "/" + wanted;
    if (access(file.c_str(), X_OK) == 0) return file;
    begin = end + 1;
  }
  return absl::NotFoundError(wanted +
                             " not found: apt-get install nats-server, or set QUERN_NATS_SERVER "
                             "to its path");
}

StatusOr<std::unique_ptr<NatsServer>> NatsServer::Start(NatsServerOptions options) {
  StatusOr<std::string> program = Program(options.program);
  if (!program.ok()) return program.status();
  std::error_code error;
  std::filesystem::create_directories(options.data_folder, error);
  if (error) {
    return absl::PermissionDeniedError("nats-server: cannot make " + options.data_folder + " (" +
                                       error.message() + "): choose another folder");
  }
  Status status;
  for (int i = 0; i < kPortTries; ++i) {
    uint16_t port = options.port;
    if (port == 0) {
      const StatusOr<uint16_t> found = FindFreePort(EphemeralRange(), SystemRandom());
      if (!found.ok()) return found.status();
      port = *found;
    }
    auto supervisor = std::make_unique<Supervisor>(options, *program, port);
    status = supervisor->WaitUntilReady();
    if (status.ok()) {
      return std::unique_ptr<NatsServer>(new NatsServer(std::move(supervisor)));
    }
    // A free port may be taken between the look and the start.
    if (options.port != 0 || !absl::IsAlreadyExists(status)) break;
  }
  return status;
}

NatsServer::NatsServer(std::unique_ptr<Supervisor> supervisor)
    : supervisor_(std::move(supervisor)) {}

NatsServer::~NatsServer() = default;

void NatsServer::Stop() { supervisor_->Stop(); }

std::string NatsServer::url() const {
  return "nats://127.0.0.1:" + std::to_string(supervisor_->port());
}
uint16_t NatsServer::port() const { return supervisor_->port(); }
int NatsServer::pid() const { return supervisor_->pid(); }
int NatsServer::restarts() const { return supervisor_->restarts(); }

}  // namespace quern::cluster
