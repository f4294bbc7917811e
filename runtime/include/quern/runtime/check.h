// A bug stops the program where it is found, in release too.
//
//   QUERN_CHECK(passes_ == 0);   // "gate.cc:31: bug: passes_ == 0"
//
// Never for data from a peer, a user or the control plane: those get a Status. Thread-safe.

#ifndef QUERN_RUNTIME_CHECK_H_
#define QUERN_RUNTIME_CHECK_H_

namespace quern::internal {

// Writes "file:line: bug: expression" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace quern::internal

#define QUERN_CHECK(condition) \
  ((condition) ? (void)0 : ::quern::internal::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // QUERN_RUNTIME_CHECK_H_
