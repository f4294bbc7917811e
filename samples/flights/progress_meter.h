// Tells people how far the work is: a bar on a terminal, redrawn in place, once the work has taken
// a second; elsewhere one line every 10 %.
//
//   ProgressMeter meter(isatty(2), clock.Now());
//   std::cerr << meter.Show({.done = 120, .total = 4200, ..}, clock.Now());
//   std::cerr << meter.Interrupt() << "killed us-east/node-2\n";    // a line of its own in between
//
// Owner only. Prints nothing itself.

#ifndef QUERN_SAMPLES_FLIGHTS_PROGRESS_METER_H_
#define QUERN_SAMPLES_FLIGHTS_PROGRESS_METER_H_

#include <cstdint>
#include <string>

#include "quern/runtime/clock.h"

namespace flights {

struct Measured {
  uint64_t done = 0;  // batches
  uint64_t total = 0;
  double flights_per_s = 0;
  double p99_ms = 0;
};

class ProgressMeter {
 public:
  ProgressMeter(bool is_terminal, quern::Time started);

  // The text to print now; often empty.
  std::string Show(const Measured& measured, quern::Time now);

  // The text that puts the cursor at the start of an empty line.
  std::string Interrupt();

 private:
  const bool is_terminal_;
  const quern::Time started_;
  quern::Time drawn_at_;
  bool bar_shown_ = false;
  uint64_t tenths_shown_ = 0;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_PROGRESS_METER_H_
