// An actor and a grain that do what a test says, in a handler of theirs.

#ifndef QUERN_TESTS_RUNTIME_GRAIN_SHORTCUT_KIT_H_
#define QUERN_TESTS_RUNTIME_GRAIN_SHORTCUT_KIT_H_

#include <functional>
#include <string_view>

#include "grain_test_kit.h"
#include "quern/quern.h"

namespace quern::testing {

struct Do {
  std::function<void(Context&)> what;
};
struct Act {
  std::function<Status(Context&)> what;
};
struct RoomApi : Protocol<void(Act)> {
  static constexpr std::string_view kKind = "room";
};
struct DoerApi : Protocol<void(Do), void(Act)> {};

}  // namespace quern::testing

namespace quern {
template <>
struct Codec<testing::Act> : EmptyCodec<testing::Act> {
  static constexpr std::string_view kName = "test.Act";
};
}  // namespace quern

namespace quern::testing {

struct Doer : Actor<DoerApi> {
  void On(const Do& m, Context& context) { m.what(context); }
  Status On(const Act& m, Context& context) { return m.what(context); }
};
struct Room : Grain<RoomApi> {
  Status On(const Act& m, Context& context) { return m.what(context); }
};

}  // namespace quern::testing

#endif  // QUERN_TESTS_RUNTIME_GRAIN_SHORTCUT_KIT_H_
