#include "flights/interrupt.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "flights/options.h"

namespace flights {
namespace {

// A signal handler has nothing but globals to reach.
int g_event_fd = -1;
std::atomic<int> g_signals = 0;

void OnSignal(int) {
  if (g_signals.fetch_add(1) > 0) ::_exit(kExitInterrupted);
  const int saved = errno;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(g_event_fd, &one, sizeof one);
  errno = saved;
}

}  // namespace

void InstallInterrupt() {
  g_event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

int interrupt_fd() { return g_event_fd; }

bool interrupted() { return g_signals > 0; }

InterruptDelay::InterruptDelay() {
  sigset_t delayed;
  sigemptyset(&delayed);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&delayed, signal);
  ::pthread_sigmask(SIG_BLOCK, &delayed, &before_);
}

InterruptDelay::~InterruptDelay() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace flights
