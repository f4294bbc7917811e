// How a function's result reaches somebody who must hear of its failure too: a T as a StatusOr<T>,
// nothing as a Status; a Status or StatusOr says both already.

#ifndef QUERN_RUNTIME_INTERNAL_RESULT_OF_H_
#define QUERN_RUNTIME_INTERNAL_RESULT_OF_H_

#include <type_traits>

#include "quern/runtime/status.h"

namespace quern::internal {

template <typename R>
struct ResultOr {
  using Type = StatusOr<R>;
};
template <>
struct ResultOr<void> {
  using Type = Status;
};
template <>
struct ResultOr<Status> {
  using Type = Status;
};
template <typename R>
struct ResultOr<StatusOr<R>> {
  using Type = StatusOr<R>;
};

// Of calling an F.
template <typename F>
using ResultOf = typename ResultOr<std::decay_t<std::invoke_result_t<F&>>>::Type;

inline const Status& StatusOf(const Status& status) { return status; }
template <typename T>
const Status& StatusOf(const StatusOr<T>& result) {
  return result.status();
}

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_INTERNAL_RESULT_OF_H_
