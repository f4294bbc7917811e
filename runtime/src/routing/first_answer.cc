#include "routing/first_answer.h"

#include <new>
#include <utility>

#include "actor/call_chain.h"
#include "mailbox/envelope_extra.h"
#include "quern/runtime/internal/callback_ask.h"
#include "system/system_core.h"
#include "timer/worker_timer.h"

namespace quern::internal {

class FirstAnswer::Attempt final : public CallbackAsk {
 public:
  Attempt(std::shared_ptr<FirstAnswer> owner, size_t slot_bytes)
      : owner_(std::move(owner)), slot_(new unsigned char[slot_bytes]) {}

  void* slot() { return slot_.get(); }

 private:
  void Finish(const Status* failed) noexcept override {
    const std::shared_ptr<FirstAnswer> owner = std::move(owner_);
    if (failed != nullptr) return owner->Failed(*failed);
    const Status& status = owner->entry_.status(slot());
    if (status.ok()) {
      owner->Succeeded(slot());
    } else {
      owner->Failed(status);
    }
    owner->entry_.signature->destroy_slot(slot());
  }

  std::shared_ptr<FirstAnswer> owner_;
  const std::unique_ptr<unsigned char[]> slot_;  // aligned as by new: a reply needs no more
};

FirstAnswer::FirstAnswer(SystemCore* core, Envelope* envelope, const RouteEntry& entry,
                         std::vector<CellPtr<Cell>> targets)
    : core_(core), envelope_(envelope), entry_(entry), targets_(std::move(targets)) {
  core_->AddRef();
}

FirstAnswer::~FirstAnswer() {
  DropEnvelope(envelope_, last_error_.ok() ? absl::AbortedError("nobody answered") : last_error_);
  core_->Release();
}

void FirstAnswer::AskAll() {
  {
    TinyLockHolder lock(lock_);
    wanted_ = targets_.size();
  }
  AskNext();
}

void FirstAnswer::AskEvery(Duration interval) {
  interval_ = interval;
  {
    TinyLockHolder lock(lock_);
    wanted_ = 1;
  }
  AskNext();
}

// An attempt may fail before Ask() returns and want another: one caller begins them all.
void FirstAnswer::AskNext() {
  {
    TinyLockHolder lock(lock_);
    if (asking_) return;
    asking_ = true;
  }
  for (;;) {
    size_t target = 0;
    {
      TinyLockHolder lock(lock_);
      if (wanted_ == 0 || next_ == targets_.size() || answered()) {
        asking_ = false;
        break;
      }
      --wanted_;
      target = next_++;
    }
    Ask(target);
    if (interval_ > Duration::zero()) ArmTimer();
  }
  bool over = false;
  {
    TinyLockHolder lock(lock_);
    over = next_ == targets_.size() || answered();
  }
  if (over) RetireTimer();
}

void FirstAnswer::Ask(size_t target) {
  Envelope* copy = nullptr;
  try {
    copy = entry_.copy(envelope_->message(), /*ask=*/true);
  } catch (...) {  // nothing in it suspends
    return Failed(absl::UnknownError("the message's copy constructor threw"));
  }
  copy->sender_id = SenderIdOf(*envelope_);
  CallChain* chain = envelope_->ask().chain;
  if (chain != nullptr) {
    chain->AddRef();
    copy->ask().chain = chain;
  }
  auto attempt = std::make_shared<Attempt>(shared_from_this(), entry_.signature->reply_slot_bytes);
  attempt->SendUntil(targets_[target], copy, attempt->slot(), envelope_->ask().deadline);
}

void FirstAnswer::ArmTimer() {
  RetireTimer();
  auto again = [keep = shared_from_this()] {
    {
      TinyLockHolder lock(keep->lock_);
      ++keep->wanted_;
    }
    keep->AskNext();
  };
  WorkerTimer* timer = WorkerTimer::Arm(*core_, core_->clock().Now() + interval_, std::move(again));
  TinyLockHolder lock(lock_);
  timer_ = timer;
}

void FirstAnswer::RetireTimer() {
  WorkerTimer* timer = nullptr;
  {
    TinyLockHolder lock(lock_);
    timer = std::exchange(timer_, nullptr);
  }
  if (timer != nullptr) timer->Retire();
}

void FirstAnswer::Succeeded(void* slot) {
  if (ClaimReply(envelope_)) {
    entry_.move_slot(envelope_->ask().slot, slot);
    FinishReply(envelope_);
  }
  RetireTimer();
}

void FirstAnswer::Failed(const Status& why) {
  {
    TinyLockHolder lock(lock_);
    last_error_ = why;
    if (interval_ > Duration::zero()) ++wanted_;
  }
  if (interval_ > Duration::zero()) AskNext();
}

}  // namespace quern::internal
