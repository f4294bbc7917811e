#include "memory.h"

#include <sys/wait.h>
#include <unistd.h>

namespace quern::bench {

void BytesOf(benchmark::State& state, double (*measure)()) {
  double bytes = 0;
  for (auto _ : state) {
    int ends[2];
    if (pipe(ends) != 0) return state.SkipWithError("no pipe");
    const pid_t child = fork();
    if (child == 0) {
      const double measured = measure();
      _exit(write(ends[1], &measured, sizeof measured) == sizeof measured ? 0 : 1);
    }
    close(ends[1]);
    const bool got = read(ends[0], &bytes, sizeof bytes) == sizeof bytes;
    close(ends[0]);
    waitpid(child, nullptr, 0);
    if (!got) return state.SkipWithError("the measuring process failed");
  }
  state.counters["bytes"] = bytes;
}

}  // namespace quern::bench
