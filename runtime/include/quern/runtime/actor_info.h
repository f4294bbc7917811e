// What can be seen of an actor from outside: for listings, dumps and tools.
//
//   for (std::string after;;) {
//     quern::ActorPage page = system.ListActors({.after = after});
//     for (const quern::ActorInfo& actor : page.actors) Print(actor.path);
//     if (page.next.empty()) break;
//     after = page.next;
//   }
//
// A snapshot of a system that goes on: each line was true a moment ago.

#ifndef QUERN_RUNTIME_ACTOR_INFO_H_
#define QUERN_RUNTIME_ACTOR_INFO_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct ActorInfo {
  std::string path;
  std::string actor_class;
  std::string_view state;  // "starting", "running", "restarting", "stopping", ...
  bool waiting = false;    // a handler of it is suspended in a wait that a stop would cancel
  uint64_t id = 0;         // Ref::id()
  // Messages in its mailbox, kMailboxCountMax at most, if ListOptions::mailboxes asks for them.
  // Empty too when nobody can tell: a handler holds the actor's worker.
  std::optional<size_t> queued = {};
};

struct ListOptions {
  std::string after = {};  // a path: only what comes behind it
  std::string under = {};  // a path: only what stands below it
  size_t limit = 100;      // 1 to kListActorsMax; more or less is taken as the nearest
  // Counts what waits in mailboxes. An actor that has mail counts on its own turn: the call blocks
  // its thread until all have, for little more than a second when handlers hold their workers. On a
  // worker it does not wait for those that are about to run, and their count stays empty.
  bool mailboxes = false;
};

struct ActorPage {
  std::vector<ActorInfo> actors;  // parents before children, siblings by name
  std::string next;               // ListOptions::after of the next page; "": this was the last
};

}  // namespace quern

#endif  // QUERN_RUNTIME_ACTOR_INFO_H_
