#include "sim_pipe.h"

#include <algorithm>
#include <utility>

namespace quern::testing {
namespace {

using remoting::StreamEnd;

constexpr size_t kWindowBytes = 256u << 10;  // what a kernel holds on both sides together

}  // namespace

SimPipe::SimPipe(SimNetwork& network, NodePtr dialler, NodePtr acceptor, std::string dialled,
                 std::string from)
    : network_(network) {
  ends_[kDialler].node = std::move(dialler);
  ends_[kDialler].peer_address = std::move(dialled);
  ends_[kAcceptor].node = std::move(acceptor);
  ends_[kAcceptor].peer_address = std::move(from);
}

SimNetwork::Direction SimPipe::Towards(size_t side) const {
  return {ends_[Other(side)].node->name, ends_[side].node->name};
}

bool SimPipe::Between(const std::string& a, const std::string& b) const {
  const std::string& x = ends_[0].node->name;
  const std::string& y = ends_[1].node->name;
  return a == b ? x == a || y == a : (x == a && y == b) || (x == b && y == a);
}

// Never before what is already on its way.
Time SimPipe::NextDue(size_t side) {
  const Time due = network_.time_.Now() + network_.DelayOf(Towards(side));
  const auto& incoming = ends_[side].incoming;
  return incoming.empty() ? due : std::max(due, incoming.back().due);
}

void SimPipe::Write(size_t side, std::string bytes) {
  End& self = ends_[side];
  const size_t to = Other(side);
  if (self.over || !self.node->alive || ends_[to].closing) return;
  size_t at = 0;
  while (at < bytes.size()) {
    size_t taken = bytes.size() - at;
    if (network_.split_writes_) {
      // Mostly a few large pieces, now and then single bytes.
      const bool tiny = network_.random_->Below(4) == 0;
      taken = std::min<size_t>(taken, 1 + network_.random_->Below(tiny ? 3 : 600));
    }
    ends_[to].incoming.push_back({NextDue(to), bytes.substr(at, taken), std::nullopt});
    ends_[to].incoming_bytes += taken;
    at += taken;
  }
  if (ends_[to].incoming_bytes > kWindowBytes) ends_[to].was_full = true;
  PumpSide(to);
}

size_t SimPipe::UnsentBytes(size_t side) const {
  const size_t on_the_way = ends_[Other(side)].incoming_bytes;
  return on_the_way > kWindowBytes ? on_the_way - kWindowBytes : 0;
}

void SimPipe::CloseSide(size_t side) {
  End& self = ends_[side];
  if (self.over) return;
  self.over = true;
  self.events = nullptr;
  if (self.node->alive) QueueEnd(Other(side), StreamEnd::kFin);
  ForgetWhenOver();
}

void SimPipe::QueueEnd(size_t side, StreamEnd end) {
  End& self = ends_[side];
  if (self.closing || self.over) return;
  self.closing = true;
  self.incoming.push_back({NextDue(side), "", end});
  PumpSide(side);
}

void SimPipe::Pump() {
  PumpSide(kDialler);
  PumpSide(kAcceptor);
}

void SimPipe::PumpSide(size_t side) {
  End& self = ends_[side];
  if (self.scheduled || self.incoming.empty() || !self.node->alive ||
      network_.IsCut(Towards(side))) {
    return;
  }
  self.scheduled = true;
  const Duration wait = self.incoming.front().due - network_.time_.Now();
  self.node->executor->PostAfter(std::max(wait, Duration::zero()),
                                 [pipe = shared_from_this(), side] {
                                   pipe->ends_[side].scheduled = false;
                                   pipe->Deliver(side);
                                 });
}

void SimPipe::Deliver(size_t side) {
  End& self = ends_[side];
  if (!self.node->alive || self.incoming.empty() || network_.IsCut(Towards(side))) return;
  // What was on its way when the head was lost to a reset may be due later.
  if (self.incoming.front().due > network_.time_.Now()) return PumpSide(side);
  Piece piece = std::move(self.incoming.front());
  self.incoming.pop_front();
  self.incoming_bytes -= piece.bytes.size();
  PumpSide(side);
  if (piece.end.has_value()) {
    Finish(side, *piece.end);
  } else {
    DeliverBytes(side, std::move(piece.bytes));
  }
}

void SimPipe::DeliverBytes(size_t side, std::string bytes) {
  End& self = ends_[side];
  const size_t from = Other(side);
  if (self.over) {
    // Nobody reads here any more: the kernel answers with RST.
    QueueEnd(from, StreamEnd::kReset);
    return;
  }
  if (self.was_full && self.incoming_bytes <= kWindowBytes) {
    self.was_full = false;
    if (ends_[from].node->alive) {
      ends_[from].node->executor->Post([pipe = shared_from_this(), from] {
        End& writer = pipe->ends_[from];
        if (!writer.over && writer.node->alive && writer.events) writer.events->OnWritable();
      });
    }
  }
  if (self.events != nullptr) self.events->OnBytes(bytes);
}

void SimPipe::Finish(size_t side, StreamEnd end) {
  End& self = ends_[side];
  self.incoming.clear();
  self.incoming_bytes = 0;
  if (self.over) return;
  self.over = true;
  remoting::StreamEvents* events = std::exchange(self.events, nullptr);
  const auto keep = shared_from_this();
  ForgetWhenOver();
  if (events != nullptr) events->OnEnd(end);
  // After FIN this side closes, too; after RST there is nobody to tell.
  if (end == StreamEnd::kFin) QueueEnd(Other(side), StreamEnd::kFin);
}

void SimPipe::ResetBoth() {
  for (size_t side : {kDialler, kAcceptor}) {
    End& self = ends_[side];
    self.incoming.clear();
    self.incoming_bytes = 0;
    self.closing = false;
    QueueEnd(side, StreamEnd::kReset);
  }
}

void SimPipe::SeverAt(const std::string& node) {
  for (size_t side : {kDialler, kAcceptor}) {
    if (ends_[side].node->name != node) continue;
    QueueEnd(Other(side), StreamEnd::kReset);
    End& self = ends_[side];
    self.incoming.clear();
    self.incoming_bytes = 0;
    self.closing = false;
    QueueEnd(side, StreamEnd::kReset);
  }
}

void SimPipe::OnKilled(const std::string& node, bool by_reset) {
  for (size_t side : {kDialler, kAcceptor}) {
    if (ends_[side].node->name != node || ends_[side].node->alive) continue;
    ends_[side].over = true;
    ends_[side].events = nullptr;
    ends_[side].incoming.clear();
    ends_[side].incoming_bytes = 0;
    End& other = ends_[Other(side)];
    if (by_reset && !other.closing) {
      other.incoming.clear();
      other.incoming_bytes = 0;
    }
    QueueEnd(Other(side), by_reset ? StreamEnd::kReset : StreamEnd::kFin);
  }
  ForgetWhenOver();
}

void SimPipe::ForgetWhenOver() {
  if (IsOver()) network_.pipes_.erase(shared_from_this());
}

}  // namespace quern::testing
