#include "quern/runtime/crash_reporter.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

#include "actor/actor_cell.h"
#include "actor/turn.h"
#include "scheduler/fiber_stack.h"
#include "scheduler/worker.h"

namespace quern {
namespace {

using internal::ActorCell;
using internal::Runner;
using internal::Turn;
using internal::Worker;

struct Fatal {
  int number;
  std::string_view name;
};
constexpr Fatal kFatal[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"},
    {SIGFPE, "SIGFPE"},   {SIGABRT, "SIGABRT"},
};

// Written once, before the handlers are there.
struct sigaction former[std::size(kFatal)];

// Async-signal-safe: no memory, no locks.
class Text {
 public:
  Text& operator<<(std::string_view what) {
    const size_t room = sizeof(bytes_) - used_;
    const size_t taken = what.size() < room ? what.size() : room;
    std::memcpy(bytes_ + used_, what.data(), taken);
    used_ += taken;
    return *this;
  }
  Text& operator<<(uint64_t number) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << std::string_view(digits + at, sizeof(digits) - at);
  }
  void Write() const { [[maybe_unused]] const ssize_t w = write(STDERR_FILENO, bytes_, used_); }

 private:
  char bytes_[1024];
  size_t used_ = 0;
};

bool RanOver(const Runner* runner, const void* address) {
  if (runner == nullptr || address == nullptr) return false;
  const auto top = reinterpret_cast<uintptr_t>(runner->stack_top);
  const auto at = reinterpret_cast<uintptr_t>(address);
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return at < top && top - at + 4 * page > internal::kFiberStackBytes &&
         top - at < internal::kFiberStackBytes + 4 * page;
}

void AppendTurn(Text& text, const Turn& turn) {
  if (const auto* actor = dynamic_cast<const ActorCell*>(turn.cell)) {
    text << " in actor \"" << actor->name().text() << "\" (" << actor->ClassName() << ")";
  } else {
    text << " in a grain";
  }
  if (turn.envelope != nullptr && turn.envelope->signature != nullptr) {
    text << ", handling " << turn.envelope->signature->message_name;
  }
}

void OnFatal(int number, siginfo_t* info, void*) {
  Text text;
  text << "quern: ";
  for (size_t i = 0; i < std::size(kFatal); ++i) {
    if (kFatal[i].number != number) continue;
    text << kFatal[i].name;
    sigaction(number, &former[i], nullptr);  // what faults again goes there
  }
  const Worker* worker = Worker::Current();
  if (worker == nullptr) {
    text << " on a thread that is no worker";
  } else {
    text << " on worker " << static_cast<uint64_t>(worker->index());
    const Turn* turn = worker->turn();
    if (turn != nullptr && !turn->over) AppendTurn(text, *turn);
    if (number == SIGSEGV && RanOver(worker->runner(), info->si_addr)) {
      text << "\nquern: its stack of " << uint64_t{internal::kFiberStackBytes / 1024}
           << " KiB has run over: bound the recursion, put large things on the heap";
    }
  }
  text << "\n";
  text.Write();
}

}  // namespace

void InstallCrashReporter() {
  static std::atomic<bool> installed{false};
  if (installed.exchange(true)) return;
  struct sigaction action{};
  action.sa_sigaction = &OnFatal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (size_t i = 0; i < std::size(kFatal); ++i) {
    sigaction(kFatal[i].number, nullptr, &former[i]);
    sigaction(kFatal[i].number, &action, nullptr);
  }
}

}  // namespace quern
