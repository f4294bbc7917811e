#include "timer/cell_timer.h"

#include <utility>

#include "scheduler/worker.h"

namespace quern::internal {

CellTimer::CellTimer(Worker& worker, CellPtr<MailboxCell> cell, uint32_t signal)
    : worker_(worker), cell_(std::move(cell)), signal_(signal) {}

CellTimer* CellTimer::Arm(Worker& worker, Time due, CellPtr<MailboxCell> cell, uint32_t signal) {
  auto* timer = new CellTimer(worker, std::move(cell), signal);
  timer->ArmAt(due);
  return timer;
}

void CellTimer::ArmAt(Time when) { worker_.timers().Arm(this, when, &CellTimer::OnFire); }

bool CellTimer::Move(Worker& worker, Time when) {
  if (&worker != &worker_) return false;
  worker_.timers().Cancel(this);
  ArmAt(when);
  return true;
}

void CellTimer::Fire() { cell_->Signal(signal_); }

void CellTimer::OnFire(TimerNode* node) { static_cast<CellTimer*>(node)->Fire(); }

void CellTimer::Retire() {
  if (Worker::Current() == &worker_) {
    OnRetire(worker_, this);
    return;
  }
  run = &CellTimer::OnRetire;
  worker_.Post(this);
}

void CellTimer::OnRetire(Worker& worker, InboxItem* item) {
  auto* timer = static_cast<CellTimer*>(item);
  worker.timers().Cancel(timer);
  delete timer;
}

}  // namespace quern::internal
