#include "membership/exit_witness.h"

#include <algorithm>
#include <utility>

#include "sabotage.h"
#include "view/view_record.h"

namespace quern::cluster::internal {
namespace {

// A close on purpose, other than at the process's own shutdown, says nothing about the process.
bool EndsAProcess(const remoting::SessionEnd& end) {
  if (Planted(Sabotage::kRefusalIsExit)) return true;
  const bool by_peer =
      end.how == remoting::StreamEnd::kFin || end.how == remoting::StreamEnd::kReset;
  return by_peer && (end.reason == remoting::CloseReason::kNone ||
                     end.reason == remoting::CloseReason::kShutdown);
}

}  // namespace

// Only members that declare themselves provable can be proved gone.
const Member* ExitWitness::Subject(const remoting::ProcessId& process) const {
  if (!context_.options.proof_of_exit || context_.view == nullptr) return nullptr;
  if (process == context_.options.self.process_id) return nullptr;
  const Member* member = context_.view->Find(process);
  const bool provable =
      member != nullptr && (member->exit_provable || Planted(Sabotage::kRefusalIsExit));
  return provable ? member : nullptr;
}

bool ExitWitness::IsGone(const Member& member) const {
  return context_.options.proof_of_exit && member.exit_provable &&
         context_.port->ProcessIsGone(member);
}

void ExitWitness::OnSessionDown(const remoting::SessionEnd& end) {
  const remoting::ProcessId process = end.peer.process_id;
  const Member* member = Subject(process);
  if (member == nullptr) return;
  if (IsGone(*member)) return proved_(*member, "its process is gone from this machine");
  if (!EndsAProcess(end)) return;
  Case& exit = cases_[process];
  exit.session_ended = true;
  exit.probes = 0;
  Probe(process);
}

void ExitWitness::Recheck(const remoting::ProcessId& process) {
  const auto found = cases_.find(process);
  const Member* member = Subject(process);
  if (member == nullptr) return;
  if (IsGone(*member)) return proved_(*member, "its process is gone from this machine");
  if (found == cases_.end() || !found->second.session_ended) return;
  found->second.witnessed = false;
  Probe(process);
}

void ExitWitness::Probe(const remoting::ProcessId& process) {
  const Member* member = Subject(process);
  const auto found = cases_.find(process);
  if (member == nullptr || found == cases_.end() || !found->second.session_ended) return;
  if (++found->second.probes > kExitProbesMax) return;
  context_.port->ProbeMember(
      member->peer(), context_.options.lease.renew_timeout,
      context_.Posted(std::function(
          [this, process](remoting::ProbeResult result) { OnProbed(process, result); })));
}

void ExitWitness::OnProbed(const remoting::ProcessId& process, remoting::ProbeResult result) {
  const auto found = cases_.find(process);
  const Member* member = Subject(process);
  if (member == nullptr || found == cases_.end() || !found->second.session_ended) return;
  if (IsGone(*member)) return proved_(*member, "its process is gone from this machine");
  switch (result) {
    case remoting::ProbeResult::kSameProcess:
      found->second = Case{.others = std::move(found->second.others)};
      return;
    case remoting::ProbeResult::kInconclusive:
      context_.After(pause(), [this, process] { Probe(process); });
      return;
    case remoting::ProbeResult::kRefused:
    case remoting::ProbeResult::kOtherProcess:
      found->second.witnessed = true;
      Tell(process);
      Judge(process);
  }
}

// Said again while it stands: a message may be lost, and a witness counts for a short time only.
void ExitWitness::Tell(const remoting::ProcessId& process) {
  const auto found = cases_.find(process);
  const Member* subject = Subject(process);
  if (subject == nullptr || found == cases_.end() || !found->second.witnessed) return;
  v1::ExitWitnessed message;
  message.set_view_version(context_.view->version);
  message.set_node_id(subject->node_id);
  message.set_process_id(ProcessBytes(process));
  message.set_incarnation(subject->incarnation);
  const remoting::SystemBody body{v1::ExitWitnessed::descriptor()->full_name(),
                                  message.SerializeAsString()};
  for (const Member& member : context_.view->members) {
    const bool other =
        member.process_id != process && member.process_id != context_.options.self.process_id;
    if (other) context_.port->SendToMember(member.peer(), body);
  }
  context_.After(context_.options.lease.renew_every / 2, [this, process] { Tell(process); });
}

void ExitWitness::OnWitness(const remoting::NodeIdentity& from, const v1::ExitWitnessed& message) {
  const StatusOr<remoting::ProcessId> process = ProcessFromBytes(message.process_id());
  if (!process.ok() || context_.view == nullptr) return;
  const Member* subject = Subject(*process);
  const bool of_this_incarnation =
      subject != nullptr && subject->incarnation == message.incarnation();
  const bool by_a_member = context_.view->Find(from.process_id) != nullptr &&
                           from.process_id != context_.options.self.process_id &&
                           from.process_id != *process;
  if (!of_this_incarnation || !by_a_member) return;
  cases_[*process].others[from.process_id] = context_.clock.Now();
  Judge(*process);
}

void ExitWitness::Judge(const remoting::ProcessId& process) {
  const auto found = cases_.find(process);
  const Member* subject = Subject(process);
  if (subject == nullptr || found == cases_.end() || !found->second.witnessed) return;
  const Time oldest = context_.clock.Now() - 2 * context_.options.lease.renew_every;
  const auto others = std::ranges::count_if(
      found->second.others, [oldest](const auto& witness) { return witness.second >= oldest; });
  const bool two_needed = context_.view->members.size() >= 3 && !Planted(Sabotage::kRefusalIsExit);
  if (two_needed && others == 0) return;
  proved_(*subject, others > 0 ? "session ended and address refuses, seen by two members"
                               : "session ended and address refuses");
}

void ExitWitness::OnView(const View& view) {
  std::erase_if(cases_, [&](const auto& entry) { return view.Find(entry.first) == nullptr; });
}

}  // namespace quern::cluster::internal
