// When a program dies by a signal: in which actor. Recursion that runs over a fiber's small stack
// is the usual cause, and a bare core says nothing of actors.
//
//   int main() {
//     quern::InstallCrashReporter();
//     ...
//   }
//   // quern: SIGSEGV on worker 1 in actor "parser" (ParserActor), handling Parse
//   // quern: its stack of 64 KiB has run over: bound the recursion, put large things on the heap
//
// Then the program dies as it would have: handlers that were there before get the signal.

#ifndef QUERN_RUNTIME_CRASH_REPORTER_H_
#define QUERN_RUNTIME_CRASH_REPORTER_H_

namespace quern {

// For SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT of the whole process. Once; a further call does
// nothing. Thread-safe.
void InstallCrashReporter();

}  // namespace quern

#endif  // QUERN_RUNTIME_CRASH_REPORTER_H_
