// The whole run, from the input to the verdict: what `flights demo` does.

#ifndef QUERN_SAMPLES_FLIGHTS_DEMO_H_
#define QUERN_SAMPLES_FLIGHTS_DEMO_H_

#include "flights/options.h"

namespace flights {

// Blocks until the run is over and every child has ended. Returns the program's exit code.
int RunDemo(const DemoOptions& options);

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_DEMO_H_
