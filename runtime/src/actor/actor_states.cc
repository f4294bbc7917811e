// Become() and its kind, behind the templates.

#include "actor/actor_cell.h"
#include "actor/state_stack.h"
#include "actor/turn.h"

namespace quern::internal {
namespace {

// Null: not an actor's own turn.
ActorCell* OnOwnTurn(Cell* cell) {
  const Turn* turn = CurrentTurn();
  if (cell == nullptr || turn == nullptr || turn->cell != cell) return nullptr;
  return AsActor(cell);
}

}  // namespace

void ActorCell::Become(const StateStack::State& state) {
  extras().states.Replace(state);
  in_state_ = true;
}

bool ActorCell::BecomeStacked(const StateStack::State& state) {
  in_state_ = true;
  return extras().states.Push(state);
}

bool ActorCell::Unbecome() {
  if (!in_state_) return false;
  extras().states.Pop();
  in_state_ = !extras().states.empty();
  return true;
}

void ActorCell::EndStates() {
  if (!in_state_) return;
  extras().states.Clear();
  in_state_ = false;
}

void ActorCell::FindInState(const Envelope& envelope, Thunk* thunk, void** self) {
  const StateStack::State& state = extras().states.top();
  const Thunk found = state.handlers->Find(envelope);
  if (found == nullptr) return;
  *thunk = found;
  *self = state.self;
}

void BecomeState(Cell* cell, const HandlerTable& state, void* self) {
  if (ActorCell* actor = OnOwnTurn(cell); actor != nullptr) actor->Become({&state, self});
}

bool StackState(Cell* cell, const HandlerTable& state, void* self) {
  ActorCell* actor = OnOwnTurn(cell);
  return actor != nullptr && actor->BecomeStacked({&state, self});
}

bool EndState(Cell* cell) {
  ActorCell* actor = OnOwnTurn(cell);
  return actor != nullptr && actor->Unbecome();
}

}  // namespace quern::internal
