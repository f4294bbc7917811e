#include "quern/runtime/grain.h"

#include "actor/turn.h"
#include "grain/activation.h"

namespace quern {

GrainBase::GrainBase() {
  internal::Turn* turn = internal::CurrentTurn();
  if (turn == nullptr || turn->constructing == nullptr) return;
  activation_ = dynamic_cast<internal::Activation*>(turn->constructing);
  if (activation_ == nullptr) return;
  id_ = activation_->grain_id();
  epoch_ = activation_->epoch();
}

GrainBase::~GrainBase() = default;

Status GrainBase::OnActivate() { return absl::OkStatus(); }

void GrainBase::OnDeactivate(const Status& /*why*/) {}

void GrainBase::DeactivateSoon() {
  if (activation_ != nullptr) activation_->RequestEnd(absl::OkStatus());
}

}  // namespace quern
