#include "quern/testing/sim_transport.h"

#include <utility>
#include <vector>

#include "sim_pipe.h"

namespace quern::testing {

using remoting::Listener;
using remoting::Stream;
using remoting::StreamEvents;

class SimListener final : public Listener {
 public:
  SimListener(std::shared_ptr<SimNode> node, std::string address,
              remoting::Transport::AcceptCallback on_accept)
      : node_(std::move(node)), address_(std::move(address)), on_accept_(std::move(on_accept)) {
    node_->network->listeners_[address_] = this;
  }
  ~SimListener() override {
    *open_ = false;
    auto& listeners = node_->network->listeners_;
    const auto found = listeners.find(address_);
    if (found != listeners.end() && found->second == this) listeners.erase(found);
  }

  std::string bound_address() const override { return address_; }
  const std::shared_ptr<SimNode>& node() const { return node_; }

  // In the kernel: the process hears of it when it runs.
  void Accept(std::shared_ptr<SimPipe> pipe) {
    node_->executor->Post([this, pipe, open = open_, node = node_] {
      auto stream = std::make_unique<SimStream>(pipe, SimPipe::kAcceptor);
      if (!*open || !node->alive) return;
      pipe->SetEvents(SimPipe::kAcceptor, on_accept_(std::move(stream)));
    });
  }

 private:
  const std::shared_ptr<SimNode> node_;
  const std::string address_;
  const remoting::Transport::AcceptCallback on_accept_;
  const std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
};

SimTransport::SimTransport(std::shared_ptr<SimNode> node) : node_(std::move(node)) {}

SimTransport::~SimTransport() { node_->alive = false; }

const std::string& SimTransport::node() const { return node_->name; }

StatusOr<std::unique_ptr<Listener>> SimTransport::Listen(const std::string& address,
                                                         AcceptCallback on_accept) {
  SimNetwork& network = *node_->network;
  std::string bound = address;
  if (address.ends_with(":0")) {
    bound = address.substr(0, address.size() - 1) + std::to_string(++network.last_port_);
  }
  if (network.listeners_.contains(bound)) {
    return absl::UnavailableError("listen on " + bound + ": the port is taken");
  }
  return std::make_unique<SimListener>(node_, bound, std::move(on_accept));
}

void SimTransport::Connect(const std::string& address, Duration timeout, StreamEvents* events,
                           std::function<void(StatusOr<std::unique_ptr<Stream>>)> done) {
  if (!node_->alive) return;
  // Whichever comes first, the answer or the time-out, takes `done`.
  auto once =
      std::make_shared<std::function<void(StatusOr<std::unique_ptr<Stream>>)>>(std::move(done));
  auto finish = [node = node_, once](StatusOr<std::unique_ptr<Stream>> result) {
    auto taken = std::exchange(*once, nullptr);
    if (taken && node->alive) taken(std::move(result));
  };
  node_->executor->PostAfter(timeout, [finish, address] {
    finish(absl::DeadlineExceededError("connect to " + address + ": no answer"));
  });
  node_->network->Arrive(node_, address, finish, events);
}

SimNetwork::SimNetwork(VirtualTime& time, uint64_t seed)
    : time_(time), random_(SeededRandom(seed)), kernel_(time.NewExecutor()) {}

SimNetwork::~SimNetwork() = default;

std::unique_ptr<SimTransport> SimNetwork::NewTransport(const std::string& node,
                                                       Executor& executor) {
  auto process =
      std::make_shared<SimNode>(SimNode{.network = this, .name = node, .executor = &executor});
  nodes_[node] = process;
  return std::unique_ptr<SimTransport>(new SimTransport(process));
}

void SimNetwork::SetLink(const std::string& from, const std::string& to, SimLink link) {
  links_[{from, to}] = link;
}

void SimNetwork::Cut(const std::string& from, const std::string& to) { cut_.insert({from, to}); }

void SimNetwork::Heal(const std::string& from, const std::string& to) {
  cut_.erase({from, to});
  for (const auto& pipe : std::vector(pipes_.begin(), pipes_.end())) pipe->Pump();
}

void SimNetwork::CutBoth(const std::string& a, const std::string& b) {
  Cut(a, b);
  Cut(b, a);
}

void SimNetwork::HealBoth(const std::string& a, const std::string& b) {
  Heal(a, b);
  Heal(b, a);
}

void SimNetwork::HealAll() {
  cut_.clear();
  for (const auto& pipe : std::vector(pipes_.begin(), pipes_.end())) pipe->Pump();
}

void SimNetwork::Reset(const std::string& a, const std::string& b) {
  for (const auto& pipe : std::vector(pipes_.begin(), pipes_.end())) {
    if (pipe->Between(a, b)) pipe->ResetBoth();
  }
}

void SimNetwork::Sever(const std::string& from, const std::string& to) {
  for (const auto& pipe : std::vector(pipes_.begin(), pipes_.end())) {
    if (pipe->Between(from, to)) pipe->SeverAt(from);
  }
}

void SimNetwork::RefuseConnect(const std::string& node, bool refuse) {
  if (refuse) {
    refusing_.insert(node);
  } else {
    refusing_.erase(node);
  }
}

void SimNetwork::Kill(const std::string& node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  found->second->alive = false;
  std::erase_if(listeners_,
                [&](const auto& entry) { return entry.second->node() == found->second; });
  for (const auto& pipe : std::vector(pipes_.begin(), pipes_.end())) {
    if (pipe->Has(node)) pipe->OnKilled(node, random_->Below(2) == 0);
  }
}

Duration SimNetwork::DelayOf(const Direction& direction) {
  const auto found = links_.find(direction);
  const SimLink& link = found != links_.end() ? found->second : default_link_;
  if (link.jitter <= Duration::zero()) return link.delay;
  return link.delay + Duration(random_->Below(static_cast<uint64_t>(link.jitter.count())));
}

// The three-way handshake: there after one delay, back after another, neither across a cut.
void SimNetwork::Arrive(std::shared_ptr<SimNode> dialler, const std::string& address,
                        std::function<void(StatusOr<std::unique_ptr<Stream>>)> done,
                        StreamEvents* events) {
  const auto known = listeners_.find(address);
  const std::string target =
      known != listeners_.end() ? known->second->node()->name : dialler->name;
  const Direction there{dialler->name, target};
  const Direction back{target, dialler->name};
  if (IsCut(there) || IsCut(back)) return;
  kernel_->PostAfter(DelayOf(there), [this, dialler, address, done, events, there, back] {
    if (IsCut(there) || IsCut(back) || !dialler->alive) return;
    const auto found = listeners_.find(address);
    const bool listens =
        found != listeners_.end() && !refusing_.contains(found->second->node()->name);
    std::shared_ptr<SimPipe> pipe;
    if (listens) {
      pipe = std::make_shared<SimPipe>(*this, dialler, found->second->node(), address,
                                       "sim:" + dialler->name);
      pipes_.insert(pipe);
      found->second->Accept(pipe);
    }
    dialler->executor->PostAfter(DelayOf(back), [pipe, address, done, events] {
      if (pipe == nullptr) {
        done(absl::UnavailableError("connect to " + address + ": refused"));
        return;
      }
      // Dropped in `done`, the stream closes and its events go unheard.
      pipe->SetEvents(SimPipe::kDialler, events);
      done(std::make_unique<SimStream>(pipe, SimPipe::kDialler));
    });
  });
}

}  // namespace quern::testing
