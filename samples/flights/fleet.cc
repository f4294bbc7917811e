#include "flights/fleet.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "flights/interrupt.h"
#include "flights/limits.h"

namespace flights {
namespace {

// The last lines of a file, for an error message.
std::string Tail(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    lines.push_back(line);
    if (lines.size() > kLogLinesShown) lines.erase(lines.begin());
  }
  std::string text;
  for (const std::string& line : lines) text += "\n    " + line;
  return text.empty() ? "; it wrote nothing" : "; its last words:" + text;
}

int Milliseconds(quern::Duration duration) {
  // Rounded up, so that a wait never turns into a spin.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

}  // namespace

Fleet::Fleet(Options options, quern::Clock& clock) : options_(std::move(options)), clock_(clock) {}

Fleet::~Fleet() = default;

quern::Status Fleet::Start(NodeProcessOptions options) {
  const NodeName name = options.name;
  options.control_fd = kControlFd;
  Node node;
  node.output_path = options_.folder + "/" + name.datacenter + "-" + name.node + ".log";
  auto process = ChildProcess::Start({.executable = options_.executable,
                                      .arguments = ToArguments(options),
                                      .output_path = node.output_path});
  if (!process.ok()) return process.status();
  node.process = *std::move(process);
  nodes_[name] = std::move(node);
  return absl::OkStatus();
}

quern::Status Fleet::WaitUntilReady(quern::Duration timeout) {
  const quern::Time deadline = clock_.Now() + timeout;
  for (;;) {
    std::string missing;
    for (const auto& [name, node] : nodes_) {
      if (!node.ready) missing += " " + name.ToString();
    }
    if (missing.empty()) return absl::OkStatus();
    const quern::Time now = clock_.Now();
    if (now >= deadline) {
      return absl::DeadlineExceededError("nodes that did not become ready:" + missing +
                                         "; is the machine overloaded? Try --nodes 1");
    }
    if (quern::Status status = Poll(deadline - now); !status.ok()) return status;
  }
}

quern::Status Fleet::Poll(quern::Duration timeout) {
  std::vector<pollfd> entries = {{.fd = interrupt_fd(), .events = POLLIN, .revents = 0}};
  std::vector<std::pair<const NodeName*, Node*>> owners;
  for (auto& [name, node] : nodes_) {
    if (node.process == nullptr) continue;
    entries.push_back({.fd = node.process->control_fd(), .events = POLLIN, .revents = 0});
    entries.push_back({.fd = node.process->exit_fd(), .events = POLLIN, .revents = 0});
    owners.emplace_back(&name, &node);
  }
  ::poll(entries.data(), entries.size(), Milliseconds(timeout));
  if (interrupted()) return absl::CancelledError("interrupted");
  for (size_t i = 0; i < owners.size(); ++i) {
    const auto& [name, node] = owners[i];
    const bool message = (entries[1 + 2 * i].revents & POLLIN) != 0;
    const bool ended = entries[2 + 2 * i].revents != 0;
    if (message) {
      if (quern::Status status = OnMessage(*name, node); !status.ok()) return status;
    }
    if (ended) {
      if (quern::Status status = OnExit(*name, node); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

quern::Status Fleet::OnMessage(const NodeName& name, Node* node) {
  v1::FromNode message;
  const auto received = ReceiveControl(node->process->control_fd(), &message);
  if (!received.ok()) return received.status();
  if (!*received) return absl::OkStatus();  // its end comes by the other descriptor
  if (message.has_failed()) {
    return absl::FailedPreconditionError(name.ToString() + " could not start: " + message.failed());
  }
  if (message.has_ready()) {
    node->ready = true;
  } else {
    node->answers.push_back(std::move(message));
  }
  return absl::OkStatus();
}

quern::Status Fleet::OnExit(const NodeName& name, Node* node) {
  // What it said last may still be on its way: a failure explains more than an exit code.
  v1::FromNode message;
  while (!node->end_expected) {
    const auto received = ReceiveControl(node->process->control_fd(), &message);
    if (!received.ok() || !*received) break;
    if (message.has_failed()) {
      return absl::FailedPreconditionError(name.ToString() +
                                           " could not start: " + message.failed());
    }
  }
  const std::string how = node->process->WaitForExit();
  node->process.reset();
  if (node->end_expected) return absl::OkStatus();
  return absl::FailedPreconditionError(name.ToString() + " ended by itself (" + how + ")" +
                                       Tail(node->output_path));
}

quern::StatusOr<v1::FromNode> Fleet::Ask(const NodeName& name, v1::ToNode::Command command,
                                         v1::FromNode::EventCase answer, quern::Duration timeout) {
  nodes_[name].answers.clear();
  if (quern::Status status = Tell(name, command); !status.ok()) return status;
  return Await(name, answer, timeout);
}

quern::StatusOr<v1::FromNode> Fleet::Await(const NodeName& name, v1::FromNode::EventCase answer,
                                           quern::Duration timeout) {
  Node& node = nodes_[name];
  const quern::Time deadline = clock_.Now() + timeout;
  for (;;) {
    while (!node.answers.empty()) {
      v1::FromNode message = std::move(node.answers.front());
      node.answers.pop_front();
      if (message.event_case() == answer) return message;
    }
    const quern::Time now = clock_.Now();
    if (node.process == nullptr) return absl::UnavailableError(name.ToString() + " has ended");
    if (now >= deadline) {
      return absl::DeadlineExceededError(name.ToString() + " did not answer in time");
    }
    if (quern::Status status = Poll(deadline - now); !status.ok()) return status;
  }
}

quern::Status Fleet::Tell(const NodeName& name, v1::ToNode::Command command) {
  ChildProcess* const process = Process(name);
  if (process == nullptr) return absl::UnavailableError(name.ToString() + " has ended");
  v1::ToNode message;
  message.set_command(command);
  return SendControl(process->control_fd(), message);
}

quern::Status Fleet::Signal(const NodeName& name, int signal) {
  ChildProcess* const process = Process(name);
  if (process == nullptr) return absl::UnavailableError(name.ToString() + " has ended");
  return process->Signal(signal);
}

void Fleet::Kill(const NodeName& name) {
  if (ChildProcess* const process = Process(name); process != nullptr) {
    nodes_[name].end_expected = true;
    process->Signal(SIGKILL).IgnoreError();
  }
}

void Fleet::Leave(quern::Duration timeout) {
  for (auto& [name, node] : nodes_) {
    node.end_expected = true;
    Tell(name, v1::ToNode::COMMAND_LEAVE).IgnoreError();
  }
  const quern::Time deadline = clock_.Now() + timeout;
  while (!Running().empty() && clock_.Now() < deadline) {
    if (!Poll(deadline - clock_.Now()).ok()) break;
  }
  nodes_.clear();
}

std::vector<NodeName> Fleet::Running() const {
  std::vector<NodeName> running;
  for (const auto& [name, node] : nodes_) {
    if (node.process != nullptr) running.push_back(name);
  }
  return running;
}

ChildProcess* Fleet::Process(const NodeName& name) {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : found->second.process.get();
}

}  // namespace flights
