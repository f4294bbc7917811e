#include "grain/filtered_call.h"

#include <boost/context/fiber.hpp>

#include <exception>
#include <string>
#include <utility>

#include "actor/dead_letters.h"
#include "actor/mailbox_cell.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/logger.h"
#include "system/system_core.h"

namespace quern::internal {
namespace {

// What others send was stamped by a proxy or decoded from a peer; what the runtime sends the grain
// itself, the result of a pipe for example, has no sender.
GrainCall Describe(const GrainId& grain, Envelope& envelope) {
  static const EnvelopeExtra kUnstamped;
  const EnvelopeExtra* found = FindExtra(envelope);
  const EnvelopeExtra& extra = found == nullptr ? kUnstamped : *found;
  return {
      .grain = grain,
      .message = extra.wire == nullptr ? envelope.signature->message_name : extra.wire->type_name(),
      .sender = extra.sender.grain,
      .sender_id = extra.sender.actor_id,
      .deadline = envelope.deadline(),
      .expects_reply = envelope.is_ask()};
}

}  // namespace

void FilteredCall::Run(void* call, Envelope* envelope, Context& context) {
  auto& filtered = *static_cast<FilteredCall*>(call);
  const GrainCall described = Describe(filtered.grain_, *envelope);
  filtered.envelope_ = envelope;
  filtered.context_ = &context;
  filtered.call_ = &described;
  filtered.RunAll();
}

void FilteredCall::RunAll() {
  Status returned = RunFrom(0);
  if (handler_ran_ || returned.ok()) return;
  if (!envelope_->is_ask()) {
    core_.dead_letters().Add({.reason = DeadLetterReasonOf(returned),
                              .target = grain_.ToString(),
                              .message = envelope_->signature->message_name,
                              .sender_id = SenderIdOf(*envelope_),
                              .why = std::string(returned.message())});
  }
  FailAsk(envelope_, std::move(returned));
}

Status FilteredCall::RunFrom(size_t filter) {
  return filter < filters_.size() ? RunFilter(filter) : RunHandler();
}

Status FilteredCall::RunFilter(size_t filter) {
  std::exception_ptr thrown;
  try {
    return filters_[filter]->Around(*call_, GrainNext(this, filter + 1));
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    thrown = std::current_exception();
  }
  Status status = DescribeException(thrown, "a filter of " + grain_.kind);
  core_.logger().Log(LogLevel::kError, "a grain filter threw",
                     {{"grain", grain_}, {"error", status.ToString()}});
  return status;
}

Status FilteredCall::RunHandler() {
  if (std::exchange(handler_ran_, true)) {
    return absl::FailedPreconditionError("next() of a grain filter: the handler has run already");
  }
  std::exception_ptr thrown;
  try {
    handler_(self_, envelope_, *context_);
    return absl::OkStatus();
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    thrown = std::current_exception();
  }
  outcome_ = DescribeException(thrown, envelope_->signature->message_name);
  FailAsk(envelope_, outcome_);
  return outcome_;
}

Status CheckOutbound(const GrainFilters& filters, const GrainId& grain, Envelope& envelope) {
  const GrainCall call = Describe(grain, envelope);
  std::exception_ptr thrown;
  try {
    for (const auto& filter : filters) {
      if (Status refused = filter->BeforeSend(call); !refused.ok()) return refused;
    }
    return absl::OkStatus();
  } catch (...) {  // nothing in here may suspend
    thrown = std::current_exception();
  }
  return DescribeException(thrown, "a filter of calls");
}

}  // namespace quern::internal

namespace quern {

Status GrainNext::operator()() const { return call_->RunFrom(filter_); }

}  // namespace quern
