// One call of a grain on its way through the filters of its kind to the handler, and the check that
// a message passes before it leaves its sender.
//
//   FilteredCall call(filters, id, thunk, grain, core);
//   RunMessage(turn, envelope, &FilteredCall::Run, &call);
//   if (!call.handler_ran_well().ok()) ...                     // the handler threw
//
// Lives on the stack of the grain's turn.

#ifndef QUERN_RUNTIME_SRC_GRAIN_FILTERED_CALL_H_
#define QUERN_RUNTIME_SRC_GRAIN_FILTERED_CALL_H_

#include <cstddef>

#include "quern/runtime/grain_filter.h"
#include "quern/runtime/grain_id.h"
#include "quern/runtime/internal/envelope.h"
#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/status.h"

namespace quern::internal {

class SystemCore;

class FilteredCall {
 public:
  FilteredCall(const GrainFilters& filters, const GrainId& grain, Thunk handler, void* self,
               SystemCore& core)
      : filters_(filters), grain_(grain), handler_(handler), self_(self), core_(core) {}

  // A Thunk: `call` is the FilteredCall. Answers what was refused; throws nothing.
  static void Run(void* call, Envelope* envelope, Context& context);

  // UNKNOWN when the handler threw, else OK.
  const Status& outcome() const { return outcome_; }

  // From that filter on. Suspends as filters and handler do.
  Status RunFrom(size_t filter);

 private:
  void RunAll();
  Status RunHandler();
  Status RunFilter(size_t filter);

  const GrainFilters& filters_;
  const GrainId& grain_;
  const Thunk handler_;
  void* const self_;
  SystemCore& core_;
  Envelope* envelope_ = nullptr;
  Context* context_ = nullptr;
  const GrainCall* call_ = nullptr;
  bool handler_ran_ = false;
  Status outcome_;
};

// OK, or why a filter does not let the message leave. The envelope has been stamped by its proxy.
Status CheckOutbound(const GrainFilters& filters, const GrainId& grain, Envelope& envelope);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_FILTERED_CALL_H_
