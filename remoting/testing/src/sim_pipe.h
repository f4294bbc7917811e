// One simulated stream: two ends, two directions.
//
// Each direction is a queue of pieces with arrival times; the piece at its head is scheduled on the
// receiver's executor, so a frozen receiver finds them after its thaw.

#ifndef QUERN_REMOTING_TESTING_SRC_SIM_PIPE_H_
#define QUERN_REMOTING_TESTING_SRC_SIM_PIPE_H_

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "quern/testing/sim_transport.h"

namespace quern::testing {

struct SimNode {
  SimNetwork* network;
  std::string name;
  Executor* executor;
  bool alive = true;  // false: killed, or its transport is gone
};

class SimPipe : public std::enable_shared_from_this<SimPipe> {
 public:
  static constexpr size_t kDialler = 0;
  static constexpr size_t kAcceptor = 1;
  using NodePtr = std::shared_ptr<SimNode>;

  SimPipe(SimNetwork& network, NodePtr dialler, NodePtr acceptor, std::string dialled,
          std::string from);

  void SetEvents(size_t side, remoting::StreamEvents* events) { ends_[side].events = events; }
  void Write(size_t side, std::string bytes);

  // The side hears nothing more; FIN follows what it has written.
  void CloseSide(size_t side);

  size_t UnsentBytes(size_t side) const;
  const std::string& PeerAddress(size_t side) const { return ends_[side].peer_address; }

  bool Between(const std::string& a, const std::string& b) const;
  bool Has(const std::string& node) const { return Between(node, node); }
  bool IsOver() const { return ends_[0].over && ends_[1].over; }

  // Schedules the heads of both directions, after a heal.
  void Pump();

  // RST to both sides at once.
  void ResetBoth();

  // RST to the side of `node`, and to the other behind what is on its way.
  void SeverAt(const std::string& node);

  // The process of `node` is gone.
  void OnKilled(const std::string& node, bool by_reset);

 private:
  struct Piece {
    Time due;
    std::string bytes;
    std::optional<remoting::StreamEnd> end;  // then there are no bytes
  };
  // What one side has, and what is on its way to it.
  struct End {
    NodePtr node;
    remoting::StreamEvents* events = nullptr;
    std::string peer_address;
    bool over = false;  // hears nothing more
    std::deque<Piece> incoming;
    size_t incoming_bytes = 0;
    bool scheduled = false;
    bool closing = false;   // an end is queued: nothing may be queued behind it
    bool was_full = false;  // whoever writes to it waits for OnWritable
  };

  static size_t Other(size_t side) { return 1 - side; }
  SimNetwork::Direction Towards(size_t side) const;
  Time NextDue(size_t side);
  void QueueEnd(size_t side, remoting::StreamEnd end);
  void PumpSide(size_t side);
  void Deliver(size_t side);
  void DeliverBytes(size_t side, std::string bytes);
  void Finish(size_t side, remoting::StreamEnd end);
  void ForgetWhenOver();

  SimNetwork& network_;
  std::array<End, 2> ends_;
};

class SimStream final : public remoting::Stream {
 public:
  SimStream(std::shared_ptr<SimPipe> pipe, size_t side) : pipe_(std::move(pipe)), side_(side) {}
  ~SimStream() override { pipe_->CloseSide(side_); }

  void Write(std::string bytes) override { pipe_->Write(side_, std::move(bytes)); }
  size_t unsent_bytes() const override { return pipe_->UnsentBytes(side_); }
  void Close() override { pipe_->CloseSide(side_); }
  std::string peer_address() const override { return pipe_->PeerAddress(side_); }

 private:
  const std::shared_ptr<SimPipe> pipe_;
  const size_t side_;
};

}  // namespace quern::testing

#endif  // QUERN_REMOTING_TESTING_SRC_SIM_PIPE_H_
