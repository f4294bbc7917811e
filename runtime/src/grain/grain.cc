#include "quern/runtime/grain.h"

#include <utility>

#include "grain/activation.h"
#include "quern/runtime/internal/spawn.h"
#include "system/system_core.h"

namespace quern {

GrainBase::GrainBase()
    : activation_(dynamic_cast<internal::Activation*>(internal::TakeConstructingCell())) {
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

void GrainBase::SetIdleTimeout(Duration timeout) {
  if (activation_ != nullptr) activation_->SetIdleTimeout(timeout);
}

namespace internal {

CellPtr<Cell> GrainSelf(const Activation* activation, const WireTable& wire) {
  if (activation == nullptr) return {};
  const GrainId& id = activation->grain_id();
  return GrainProxy(&activation->core(), wire, id.kind, id.key);
}

Cell* CellOf(Activation* activation) { return activation; }

}  // namespace internal
}  // namespace quern
