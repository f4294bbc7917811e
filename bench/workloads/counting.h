// Savina's counting: producers send as fast as they can, one actor counts. Nothing holds them back.

#ifndef QUERN_BENCH_WORKLOADS_COUNTING_H_
#define QUERN_BENCH_WORKLOADS_COUNTING_H_

#include <cstdint>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {

struct Drop {
  int64_t value;
};
struct SinkApi : Protocol<void(Drop)> {};

// Says when it has had `expected`, and adds up what they carried when it stops.
struct Sink : Actor<SinkApi> {
  Sink(int64_t expected, Finish* finish, Tally* sum)
      : left_(expected), finish_(finish), sum_of_all_(sum) {}

  void On(const Drop& m) {
    sum_ += m.value;
    if (--left_ == 0) finish_->One();
  }
  void OnStop() { sum_of_all_->Add(sum_); }

  int64_t left_;
  Finish* finish_;
  Tally* sum_of_all_;
  int64_t sum_ = 0;
};

// `each` Drops of 1, 2, ... from so many senders.
inline double SumOf(int64_t senders, int64_t each) {
  return static_cast<double>(senders * each * (each + 1) / 2);
}

// `setup.size` messages from so many actors into one `mailbox`.
Outcome Count(const Setup& setup, int64_t producers, const MailboxOptions& mailbox = {});

}  // namespace quern::bench

#endif  // QUERN_BENCH_WORKLOADS_COUNTING_H_
