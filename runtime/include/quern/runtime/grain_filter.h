// What runs around the calls of grains: to measure, refuse or log them all in one place.
//
//   class Audit : public quern::GrainFilter {
//     quern::Status Around(const quern::GrainCall& call, quern::GrainNext next) override {
//       if (call.sender.kind == "guest") return absl::PermissionDeniedError("guests may not");
//       const quern::Time begun = clock_.Now();
//       quern::Status ran = next();                  // the filters further in, then the handler
//       Measure(call.message, clock_.Now() - begun);
//       return ran;
//     }
//   };
//   system.Host<Cart>({.filters = {audit}});                              // where the grain lives
//   quern::System system({.grain_filters = {audit}});                     // where calls leave
//
// Filters run in the order in which they are listed, the first one outermost. One object serves
// many grains on many workers: it is thread-safe by itself. A kind without filters pays nothing.

#ifndef QUERN_RUNTIME_GRAIN_FILTER_H_
#define QUERN_RUNTIME_GRAIN_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "quern/runtime/clock.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/status.h"

namespace quern {

namespace internal {
class FilteredCall;
}

// Valid while the filter runs.
struct GrainCall {
  const GrainId& grain;      // that is called
  std::string_view message;  // name of the message's type: Codec<M>::kName
  const GrainId& sender;     // kind empty: not a grain
  uint64_t sender_id;        // 0: a plain thread
  Time deadline;             // kNever for a tell
  bool expects_reply;        // false for a tell
};

// The rest of the way to the handler.
class GrainNext {
 public:
  GrainNext(internal::FilteredCall* call, size_t filter) : call_(call), filter_(filter) {}

  // OK the handler has returned, whatever it answered; UNKNOWN it threw; what a filter further in
  // refused with; FAILED_PRECONDITION the handler has run before. Suspends as the handler does.
  Status operator()() const;

 private:
  internal::FilteredCall* const call_;
  const size_t filter_;
};

class GrainFilter {
 public:
  virtual ~GrainFilter() = default;

  // Inbound: on the grain's own turn, where the handler would run; ticks of timers pass by. Without
  // a call of `next` the handler does not run: an ask is answered with what is returned here
  // (ABORTED for OK), a tell is dead-lettered with it. What it returns after the handler has run
  // goes to the filter further out alone. A filter that throws counts as one that returned UNKNOWN;
  // the grain stays active. May suspend.
  virtual Status Around(const GrainCall& /*call*/, GrainNext next) { return next(); }

  // Outbound: on the caller's fiber or thread, before the message leaves for its grain. Not OK: it
  // does not leave; an ask is answered with it, a tell returns kUnreachable and is dead-lettered.
  // One that throws refuses with UNKNOWN. Never suspends.
  virtual Status BeforeSend(const GrainCall& /*call*/) { return absl::OkStatus(); }
};

using GrainFilters = std::vector<std::shared_ptr<GrainFilter>>;

}  // namespace quern

#endif  // QUERN_RUNTIME_GRAIN_FILTER_H_
