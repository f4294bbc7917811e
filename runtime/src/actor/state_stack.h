// The states that an actor is in, by Become(): the last one handles what it has handlers for. Owner
// only: the actor's turn.

#ifndef QUERN_RUNTIME_SRC_ACTOR_STATE_STACK_H_
#define QUERN_RUNTIME_SRC_ACTOR_STATE_STACK_H_

#include <vector>

#include "quern/runtime/internal/handler_table.h"
#include "quern/runtime/limits.h"

namespace quern::internal {

class StateStack {
 public:
  struct State {
    const HandlerTable* handlers;
    void* self;  // what its thunks expect
  };

  bool empty() const { return states_.empty(); }
  const State& top() const { return states_.back(); }

  void Replace(const State& state) {
    if (!states_.empty()) states_.pop_back();
    states_.push_back(state);
  }
  // False: there are kStatesStackedMax.
  bool Push(const State& state) {
    if (states_.size() >= kStatesStackedMax) return false;
    states_.push_back(state);
    return true;
  }
  // False: there was none.
  bool Pop() {
    if (states_.empty()) return false;
    states_.pop_back();
    return true;
  }
  void Clear() { states_.clear(); }

 private:
  std::vector<State> states_;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_ACTOR_STATE_STACK_H_
