// Proof of exit: what shortens the wait for a crashed process from its whole lease to about a
// second. The session with that process ended by FIN or RST, and its own address then refuses or
// answers as another process; where the view has three members or more, two members must have seen
// that. Or, on the same machine, the operating system says that the process is gone.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_EXIT_WITNESS_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_EXIT_WITNESS_H_

#include <functional>
#include <map>
#include <string>

#include "membership/context.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster::internal {

class ExitWitness {
 public:
  // `evidence` is for people.
  using Proved = std::function<void(const Member& member, const std::string& evidence)>;

  ExitWitness(MembershipContext& context, Proved proved)
      : context_(context), proved_(std::move(proved)) {}

  void OnSessionUp(const remoting::ProcessId& process) { cases_.erase(process); }
  void OnSessionDown(const remoting::SessionEnd& end);
  void OnWitness(const remoting::NodeIdentity& from, const v1::ExitWitnessed& message);

  // Forgets those that are no members any more.
  void OnView(const View& view);

  // An eviction on this proof did not win: see again whether the process is gone.
  void Recheck(const remoting::ProcessId& process);

  // A member is in the way of our join: is its process gone?
  bool IsGone(const Member& member) const;

  void Reset() { cases_.clear(); }

 private:
  struct Case {
    bool session_ended = false;
    bool witnessed = false;  // by us
    int probes = 0;
    std::map<remoting::ProcessId, Time> others;  // witnesses, and when they last said so
  };

  const Member* Subject(const remoting::ProcessId& process) const;
  void Probe(const remoting::ProcessId& process);
  void OnProbed(const remoting::ProcessId& process, remoting::ProbeResult result);
  void Tell(const remoting::ProcessId& process);
  void Judge(const remoting::ProcessId& process);
  Duration pause() const { return context_.options.lease.renew_timeout / 10; }

  MembershipContext& context_;
  const Proved proved_;
  std::map<remoting::ProcessId, Case> cases_;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_EXIT_WITNESS_H_
