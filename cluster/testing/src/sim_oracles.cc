#include "quern/testing/sim_oracles.h"

#include <set>

namespace quern::testing {
namespace {

constexpr int kViolationsKept = 16;

}  // namespace

void SimOracles::Fail(const std::string& what) {
  if (++count_ > kViolationsKept) return;
  const auto at =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now().time_since_epoch());
  violations_ += "at " + std::to_string(at.count()) + " ms: " + what + "\n";
}

void SimOracles::Trace(std::string_view node, std::string_view event) {
  // FNV-1a over time, node and event.
  const auto add = [this](uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; };
  const auto now = static_cast<uint64_t>(clock_.Now().time_since_epoch().count());
  for (int shift = 0; shift < 64; shift += 8) add((now >> shift) & 0xff);
  for (const char c : node) add(static_cast<unsigned char>(c));
  add(0);
  for (const char c : event) add(static_cast<unsigned char>(c));
}

void SimOracles::Activated(std::string_view node, const remoting::ProcessId& process,
                           const GrainId& id, const Epoch& epoch) {
  Trace(node, "active " + id.ToString() + " " + epoch.ToString());
  ++activations_;
  Grain& grain = grains_[id];
  if (epoch <= grain.last_activated) {
    Fail(std::string(node) + " activates " + id.ToString() + " at epoch " + epoch.ToString() +
         ", after one at " + grain.last_activated.ToString());
  }
  grain.last_activated = std::max(grain.last_activated, epoch);
  CheckAlone(grain, node, process, id);
  grain.active[process] = epoch;
}

void SimOracles::CheckAlone(const Grain& grain, std::string_view node,
                            const remoting::ProcessId& process, const GrainId& id) {
  for (const auto& [other, epoch] : grain.active) {
    if (other == process || !may_serve_(other)) continue;
    Fail(std::string(node) + " serves " + id.ToString() + " while an activation at epoch " +
         epoch.ToString() + " serves elsewhere");
  }
}

void SimOracles::Ended(std::string_view node, const remoting::ProcessId& process, const GrainId& id,
                       const Epoch& epoch) {
  Trace(node, "ended " + id.ToString() + " " + epoch.ToString());
  grains_[id].active.erase(process);
}

void SimOracles::Effect(std::string_view node, const remoting::ProcessId& process,
                        const GrainId& id, const Epoch& epoch) {
  Trace(node, "effect " + id.ToString() + " " + epoch.ToString());
  ++effects_;
  Grain& grain = grains_[id];
  if (epoch < grain.last_effect) {
    Fail(std::string(node) + " acts for " + id.ToString() + " at epoch " + epoch.ToString() +
         ", after an effect at " + grain.last_effect.ToString());
  }
  grain.last_effect = std::max(grain.last_effect, epoch);
  CheckAlone(grain, node, process, id);
}

void SimOracles::Died(const remoting::ProcessId& process) {
  for (auto& [id, grain] : grains_) grain.active.erase(process);
}

void SimOracles::SeesView(std::string_view node, const cluster::View& view) {
  Trace(node, "view " + std::to_string(view.version));
  const auto [known, is_new] = views_.try_emplace(view.version, view);
  if (!is_new) {
    if (known->second.id != view.id) Fail("two views of version " + std::to_string(view.version));
    return;
  }
  std::set<std::string> names;
  for (const cluster::Member& member : view.members) {
    if (!names.insert(member.node_id).second) {
      Fail("view " + std::to_string(view.version) + " has " + member.node_id + " twice");
    }
    const auto [first, fresh] = incarnations_.try_emplace(member.process_id, member.incarnation);
    if (!fresh && first->second != member.incarnation) {
      Fail("view " + std::to_string(view.version) + " has " + member.node_id +
           " in a second incarnation of one process");
    }
  }
  if (known == views_.begin()) return;
  CheckRemovals(std::prev(known)->second, view);
}

void SimOracles::CheckRemovals(const cluster::View& before, const cluster::View& after) {
  for (const cluster::Member& member : before.members) {
    if (after.Find(member.process_id) != nullptr || !may_serve_(member.process_id)) continue;
    Fail("view " + std::to_string(after.version) + " is without " + member.node_id +
         ", which may still serve");
  }
}

void SimOracles::CheckStored(const GrainId& id, uint64_t acknowledged, uint64_t stored) {
  if (stored >= acknowledged) return;
  Fail(id.ToString() + ": " + std::to_string(acknowledged) + " events acknowledged, " +
       std::to_string(stored) + " stored");
}

}  // namespace quern::testing
