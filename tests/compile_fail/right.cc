// Nothing is wrong here: were the flags or the include path broken, this program would say so.

#include <cstdint>
#include <string_view>

#include "quern/runtime/system.h"

struct CounterApi : quern::Protocol<int64_t(int64_t)> {
  static constexpr std::string_view kKind = "counter";
};

struct Counter : quern::Actor<CounterApi> {
  int64_t On(const int64_t& amount) { return total += amount; }
  int64_t total = 0;
};

// A message may carry a Ref to the Api that it is one of.
struct PlayerApi;
struct Meet {
  quern::Ref<PlayerApi> peer;
};
struct PlayerApi : quern::Protocol<bool(Meet)> {};

struct Player : quern::Actor<PlayerApi> {
  bool On(const Meet& m) { return m.peer.Ask(Meet{Self()}).value_or(false); }
};

int64_t Count(quern::System& system) {
  system.Spawn<Counter>("counter").value().Tell(int64_t{1});
  return system.Grain<CounterApi>("page/home").Ask(int64_t{1}).value();
}
