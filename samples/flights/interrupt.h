// Ctrl-C as an event: SIGINT, SIGTERM and SIGHUP make a descriptor readable instead of ending the
// program. A second one ends it at once; children then die with it (child_process.h).
//
//   InstallInterrupt();
//   poll on interrupt_fd();

#ifndef QUERN_SAMPLES_FLIGHTS_INTERRUPT_H_
#define QUERN_SAMPLES_FLIGHTS_INTERRUPT_H_

#include <signal.h>

namespace flights {

// Once, at the start of the program.
void InstallInterrupt();

// Readable, and stays so, once a signal has come.
int interrupt_fd();

bool interrupted();

// Keeps Ctrl-C waiting, in this thread and those it starts meanwhile, until it is destroyed: for
// calls into a library that takes an interrupted system call for a failure.
class InterruptDelay {
 public:
  InterruptDelay();
  ~InterruptDelay();
  InterruptDelay(const InterruptDelay&) = delete;
  InterruptDelay& operator=(const InterruptDelay&) = delete;

 private:
  sigset_t before_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_INTERRUPT_H_
