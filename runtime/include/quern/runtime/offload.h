// What blocks a thread (a file, getaddrinfo, a client library) must not block a worker: all actors
// on it would stand still. Offload runs it on a thread of a small pool and parks the fiber.
//
//   quern::StatusOr<std::string> text = quern::Offload([path] { return ReadWholeFile(path); });
//
// On a plain thread, which may be blocked, the function runs right there.

#ifndef QUERN_RUNTIME_OFFLOAD_H_
#define QUERN_RUNTIME_OFFLOAD_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "quern/runtime/internal/result_of.h"
#include "quern/runtime/status.h"

namespace quern {

namespace internal {

// Ends when `body` has, or with the reason why it was not run. `body` may throw: UNKNOWN.
Status RunOffloaded(const std::function<void()>& body);

}  // namespace internal

// Runs `fn` on a thread that may block and returns what it returns. UNKNOWN it threw;
// RESOURCE_EXHAUSTED SystemOptions::offload_threads are busy and offload_queue functions wait;
// CANCELLED the actor was asked to stop while `fn` had not begun. Once it has begun it is waited
// for: it may refer to the caller's frame. It must not use Context, nor expect a deadline. Suspends
// (a plain thread: blocks).
template <typename F>
auto Offload(F fn) -> internal::ResultOf<F> {
  using R = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<R>) {
    return internal::RunOffloaded([&] { fn(); });
  } else {
    std::optional<R> result;
    if (Status ran = internal::RunOffloaded([&] { result.emplace(fn()); }); !ran.ok()) return ran;
    return *std::move(result);
  }
}

}  // namespace quern

#endif  // QUERN_RUNTIME_OFFLOAD_H_
