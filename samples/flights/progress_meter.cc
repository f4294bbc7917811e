#include "flights/progress_meter.h"

#include <algorithm>

#include "flights/report.h"

namespace flights {
namespace {

using namespace std::chrono_literals;

constexpr quern::Duration kBarAfter = 1s;
constexpr quern::Duration kRedrawEvery = 100ms;
constexpr uint64_t kBarWidth = 24;
constexpr char kEraseLine[] = "\r\033[K";

std::string Figures(const Measured& m) {
  return std::to_string(100 * m.done / m.total) + " %   " +
         WithCommas(static_cast<uint64_t>(m.flights_per_s)) + " flights/s   p99 " +
         Decimal(m.p99_ms, 1) + " ms";
}

}  // namespace

ProgressMeter::ProgressMeter(bool is_terminal, quern::Time started)
    : is_terminal_(is_terminal), started_(started), drawn_at_(started) {}

std::string ProgressMeter::Show(const Measured& measured, quern::Time now) {
  Measured m = measured;
  m.total = std::max<uint64_t>(m.total, 1);
  m.done = std::min(m.done, m.total);
  if (!is_terminal_) {
    const uint64_t tenths = 10 * m.done / m.total;
    if (tenths == tenths_shown_) return "";
    tenths_shown_ = tenths;
    return Figures(m) + "\n";
  }
  if (now - started_ < kBarAfter || now - drawn_at_ < kRedrawEvery) return "";
  drawn_at_ = now;
  bar_shown_ = true;
  const uint64_t filled = kBarWidth * m.done / m.total;
  return kEraseLine + ("[" + std::string(filled, '=') + std::string(kBarWidth - filled, ' ')) +
         "]  " + Figures(m);
}

std::string ProgressMeter::Interrupt() {
  if (!bar_shown_) return "";
  bar_shown_ = false;
  return kEraseLine;
}

}  // namespace flights
