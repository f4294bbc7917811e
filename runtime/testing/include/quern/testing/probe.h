// An actor of the test: it records what it is sent, and the test says what it expects. A failed
// expectation is a GoogleTest failure at the caller's line.
//
//   StepSystem system;                                   // or a System with a FakeClock
//   Probe<InvoiceApi> invoices(system);
//   auto order = system.Spawn<Order>("order", invoices.ref()).value();
//   order.Tell(Pay{5});
//   invoices.Expect<Bill>(Field(&Bill::amount, 5));      // the next message, and nothing else
//   invoices.Answer<IsOpen>(true);                       // every ask of it from now on
//   invoices.ExpectNothing(1s);
//   auto audit = invoices.ExpectChildSpawned<AuditApi>(order, "audit");
//   order.Stop();
//   invoices.ExpectTerminated(order);
//
// Expectations take messages in the order of their arrival. One waits at most kProbePatience (or
// Within()) of the system's clock: a StepSystem steps and moves its clock; a System with a
// FakeClock is waited for until it is quiet, time standing still; one with a real clock in real
// time.
//
// An ask is recorded like a tell and answered by what Answer() has said; without one its handler
// waits for Reply() or Fail(), and the probe takes no further message until then.
//
// Everything belongs to the test's thread. The System outlives the probe's last use.

#ifndef QUERN_TESTING_PROBE_H_
#define QUERN_TESTING_PROBE_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/runtime/actor.h"
#include "quern/runtime/context.h"
#include "quern/runtime/internal/signature.h"
#include "quern/runtime/protocol.h"
#include "quern/runtime/ref.h"
#include "quern/runtime/status.h"
#include "quern/runtime/system.h"
#include "quern/testing/internal/failure.h"
#include "quern/testing/internal/probe_log.h"

namespace quern::testing {

inline constexpr Duration kProbePatience = std::chrono::seconds(3);

namespace internal {

// One On() a message of the Api; what it answers comes from the log.
template <typename Signature>
class ProbeHandler;
template <typename R, typename M>
class ProbeHandler<R(M)> {
 public:
  explicit ProbeHandler(ProbeLog* log) : log_(log) {}

  quern::internal::ReplySlot<R> On(M&& message, Context& context) {
    using Slot = quern::internal::ReplySlot<R>;
    const std::string_view name = quern::internal::TypeName<M>();
    auto kept = std::make_shared<M>(std::move(message));
    const auto print = [](const void* m) {
      return ::testing::PrintToString(*static_cast<const M*>(m));
    };
    std::optional<Slot> slot;
    const auto answer = [&](const void* function) {
      slot.emplace((*static_cast<const std::function<Slot(const M&)>*>(function))(*kept));
    };
    constexpr bool kAnswersItself = std::is_void_v<R>;
    Status status = log_->Take(context, {name, kept, print}, &slot, answer, !kAnswersItself);
    if (slot.has_value()) return *std::move(slot);
    return Slot(std::move(status));
  }

 private:
  ProbeLog* const log_;
};

template <typename Api, typename List>
class ProbeActorOf;
template <typename Api, typename... Signatures>
class ProbeActorOf<Api, quern::internal::SignatureList<Signatures...>>
    : public Actor<Api>, public ProbeHandler<Signatures>... {
 public:
  explicit ProbeActorOf(std::shared_ptr<ProbeLog> log)
      : ProbeHandler<Signatures>(log.get())..., log_(std::move(log)) {}
  using ProbeHandler<Signatures>::On...;

 private:
  const std::shared_ptr<ProbeLog> log_;
};

template <typename Api>
using ProbeActor = ProbeActorOf<Api, quern::internal::SignaturesOf<Api>>;

}  // namespace internal

template <typename Api>
class Probe {
 public:
  // Spawned under the root. A name that is taken is a failure of the test, and ref() is empty.
  explicit Probe(System& system, std::string_view name = "probe",
                 std::source_location where = std::source_location::current())
      : log_(std::make_shared<internal::ProbeLog>(system)) {
    auto ref = system.Spawn<internal::ProbeActor<Api>>(name, log_);
    if (ref.ok()) {
      ref_ = *std::move(ref);
    } else {
      internal::Failure(where) << ref.status();
    }
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  const Ref<Api>& ref() const { return ref_; }

  // The next expectation waits so long. For one expectation: `probe.Within(1h).Expect<Bill>()`.
  Probe& Within(Duration patience) {
    within_ = patience;
    return *this;
  }

  // The next message is an M that `matcher` (a matcher, a value, or a predicate over const M&)
  // accepts; it is taken off and returned. Empty after a failure: nothing came, or something else,
  // which stays the next. May step and move time. Blocks the thread.
  template <typename M>
    requires Accepts<Api, M>
  std::optional<M> Expect(std::source_location where = std::source_location::current()) {
    return Take<M>(::testing::Matcher<const M&>(::testing::_), where);
  }
  template <typename M, typename Matching>
    requires Accepts<Api, M>
  std::optional<M> Expect(Matching matcher,
                          std::source_location where = std::source_location::current()) {
    if constexpr (std::is_invocable_r_v<bool, Matching, const M&>) {
      return Take<M>(::testing::Matcher<const M&>(::testing::Truly(std::move(matcher))), where);
    } else {
      return Take<M>(::testing::SafeMatcherCast<const M&>(std::move(matcher)), where);
    }
  }

  // No message is there, and none comes while `duration` goes by. A System with a FakeClock has its
  // clock moved. False after a failure. Blocks the thread.
  bool ExpectNothing(Duration duration = Duration::zero(),
                     std::source_location where = std::source_location::current()) {
    log_->Pass(duration);
    const std::string waiting = log_->Describe();
    if (waiting.empty()) return true;
    internal::Failure(where) << "expected no message at " << ref_.path() << ", but there is "
                             << waiting;
    return false;
  }

  // `target` stops: its last handler and OnStop are over, it takes no message. False after a
  // failure. Blocks the thread.
  template <typename Other>
  bool ExpectTerminated(const Ref<Other>& target,
                        std::source_location where = std::source_location::current()) {
    const bool stopped =
        target && log_->Await([&] { return internal::HasStopped(*target.cell()); }, Patience());
    if (!stopped)
      internal::Failure(where) << "expected " << target.path() << " to stop, and it runs";
    return stopped;
  }

  // `parent` has a living child of that name, or spawns one in time; its Ref. Empty after a
  // failure: there is none, or it does not take every message of ChildApi. Blocks the thread.
  template <typename ChildApi, typename Other>
  Ref<ChildApi> ExpectChildSpawned(const Ref<Other>& parent, std::string_view name,
                                   std::source_location where = std::source_location::current()) {
    const std::string path = parent.path() + "/" + std::string(name);
    StatusOr<Ref<ChildApi>> child = absl::NotFoundError("");
    const auto found = [&] {
      child = log_->system().template Find<ChildApi>(path);
      return child.ok();
    };
    if (parent && log_->Await(found, Patience())) return *std::move(child);
    internal::Failure(where) << "expected " << (parent ? parent.path() : "an empty Ref")
                             << " to spawn " << name << ", but "
                             << (absl::IsNotFound(child.status())
                                     ? log_->DescribeChildren(parent.path())
                                     : child.status().ToString());
    return {};
  }

  // Asks of M are answered so from now on: with a value, or by a function of the message, which
  // runs on the probe's turn. (A value may be a Status: the ask fails with it.)
  template <typename M>
    requires Accepts<Api, M>
  void Answer(quern::internal::ReplySlot<ReplyOf<Api, M>> always) {
    AnswerBy<M>([always = std::move(always)](const M&) { return always; });
  }
  template <typename M>
    requires Accepts<Api, M>
  void AnswerBy(std::function<quern::internal::ReplySlot<ReplyOf<Api, M>>(const M&)> function) {
    using Function = std::function<quern::internal::ReplySlot<ReplyOf<Api, M>>(const M&)>;
    log_->SetAnswer(quern::internal::TypeName<M>(),
                    std::make_shared<const Function>(std::move(function)));
  }

  // Answers the ask of an M that waits: with a value, or a Status. A failure when none does.
  template <typename M>
    requires Accepts<Api, M>
  bool Reply(quern::internal::ReplySlot<ReplyOf<Api, M>> reply,
             std::source_location where = std::source_location::current()) {
    using Slot = quern::internal::ReplySlot<ReplyOf<Api, M>>;
    const bool given = log_->Reply(quern::internal::TypeName<M>(), [&](void* slot) {
      static_cast<std::optional<Slot>*>(slot)->emplace(std::move(reply));
    });
    if (!given)
      internal::Failure(where) << "no ask of " << quern::internal::TypeName<M>() << " waits";
    return given;
  }

  // Forgets what has come and was not expected.
  void Clear() { log_->Clear(); }

  // Messages that have come and were not expected yet.
  size_t size() const { return log_->size(); }

 private:
  Duration Patience() { return std::exchange(within_, kProbePatience); }

  template <typename M>
  std::optional<M> Take(const ::testing::Matcher<const M&>& matcher, std::source_location where) {
    const std::string_view name = quern::internal::TypeName<M>();
    const auto expected = [&] {
      std::string text(name);
      if (std::string how = ::testing::DescribeMatcher<const M&>(matcher); how != "is anything") {
        text += " that " + how;
      }
      return text;
    };
    const std::shared_ptr<void> next = log_->Next(name, Patience());
    if (next == nullptr) {
      const std::string waiting = log_->Describe();
      internal::Failure(where) << "expected " << expected() << " at " << ref_.path() << ", but "
                               << (waiting.empty() ? "nothing came" : "the next is " + waiting);
      return std::nullopt;
    }
    M& message = *static_cast<M*>(next.get());
    ::testing::StringMatchResultListener why;
    if (!matcher.MatchAndExplain(message, &why)) {
      internal::Failure(where) << "expected " << expected() << " at " << ref_.path()
                               << ", but it is " << ::testing::PrintToString(message)
                               << (why.str().empty() ? "" : ", " + why.str());
      return std::nullopt;
    }
    log_->DropFirst();
    return std::move(message);
  }

  const std::shared_ptr<internal::ProbeLog> log_;
  Ref<Api> ref_;
  Duration within_ = kProbePatience;
};

}  // namespace quern::testing

#endif  // QUERN_TESTING_PROBE_H_
