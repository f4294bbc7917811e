// The node processes of a run, as their launcher holds them: started, asked, stopped, killed, and
// watched for an end that nobody ordered.
//
//   Fleet fleet({.executable = "/proc/self/exe", .folder = run_folder}, clock);
//   fleet.Start(options);                             // for each node
//   fleet.WaitUntilReady(30s);
//   fleet.Ask(name, v1::ToNode::COMMAND_STATS, v1::FromNode::kStats, 2s);
//   fleet.Kill(name);
//
// Everything that waits also notices Ctrl-C (CANCELLED) and a node that ended by itself
// (FAILED_PRECONDITION, with the end of what it wrote). Main thread only; blocks it.

#ifndef QUERN_SAMPLES_FLIGHTS_FLEET_H_
#define QUERN_SAMPLES_FLIGHTS_FLEET_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flights.pb.h"
#include "flights/child_process.h"
#include "flights/options.h"
#include "quern/runtime/clock.h"

namespace flights {

class Fleet {
 public:
  struct Options {
    std::string executable;
    std::string folder;  // takes what the nodes write
  };

  Fleet(Options options, quern::Clock& clock);
  ~Fleet();  // kills all

  // As ChildProcess::Start. The control descriptor is filled in.
  quern::Status Start(NodeProcessOptions options);

  // Until every node has said that it is ready. DEADLINE_EXCEEDED names those that have not.
  quern::Status WaitUntilReady(quern::Duration timeout);

  // Handles what has happened; waits for something to happen, `timeout` at most.
  quern::Status Poll(quern::Duration timeout);

  // Sends a command and waits for an answer of that kind; others are passed over.
  // DEADLINE_EXCEEDED, UNAVAILABLE.
  quern::StatusOr<v1::FromNode> Ask(const NodeName& name, v1::ToNode::Command command,
                                    v1::FromNode::EventCase answer, quern::Duration timeout);

  // Waits for the next answer of that kind to an earlier command.
  quern::StatusOr<v1::FromNode> Await(const NodeName& name, v1::FromNode::EventCase answer,
                                      quern::Duration timeout);

  // Sends a command without waiting for an answer.
  quern::Status Tell(const NodeName& name, v1::ToNode::Command command);

  // SIGSTOP, SIGCONT.
  quern::Status Signal(const NodeName& name, int signal);

  // SIGKILL; its end is expected from now on.
  void Kill(const NodeName& name);

  // Asks all that still run to leave, waits, and kills those that have not ended by then.
  void Leave(quern::Duration timeout);

  std::vector<NodeName> Running() const;

 private:
  struct Node {
    std::unique_ptr<ChildProcess> process;  // null: it has ended
    std::string output_path;
    bool ready = false;
    bool end_expected = false;
    std::deque<v1::FromNode> answers;  // in the order they came; not yet awaited
  };

  quern::Status OnMessage(const NodeName& name, Node* node);
  quern::Status OnExit(const NodeName& name, Node* node);
  ChildProcess* Process(const NodeName& name);

  const Options options_;
  quern::Clock& clock_;
  std::map<NodeName, Node> nodes_;
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_FLEET_H_
