// Steady state needs no memory: between two points of a run that has warmed up nobody asks the
// general allocator for any.

#include <gtest/gtest.h>

#include "allocation_kit.h"
#include "quern/quern.h"

namespace quern {
namespace {

TEST_F(AllocationTest, TellsBetweenTwoActorsNeedNoMemory) {
  auto ping = system_.Spawn<Player>("ping", &span_).value();
  auto pong = system_.Spawn<Player>("pong", nullptr).value();
  ping.Tell(Meet{pong});
  pong.Tell(Meet{ping});

  ping.Tell(Probe{0});
  span_.Wait();

  ExpectNone(span_);
}

TEST_F(AllocationTest, RoundsOfTellsNeedNoMemory) {
  auto teller =
      system_.Spawn<Teller>("teller", system_.Spawn<Sink>("sink", &sinking_).value()).value();
  teller_ = teller;

  teller.Tell(Begin{});
  span_.Wait();

  ExpectNone(span_);
}

TEST_F(AllocationTest, AsksOfAnActorNeedNoMemory) {
  auto echo = system_.Spawn<Echo>("echo").value();
  auto asker = system_.Spawn<Asker>("asker", echo, &span_).value();

  asker.Tell(Begin{});
  span_.Wait();

  ExpectNone(span_);
}

TEST_F(AllocationTest, AsksOfAPlainThreadNeedNoMemory) {
  auto echo = system_.Spawn<Echo>("echo").value();

  AskOften(echo, &span_);

  ExpectNone(span_);
}

// Prints where it sends to.
struct Printer : Player {
  using Player::On;
  using Player::Player;
  void On(const Probe& m) {
    line_.assign(peer_ ? peer_.path_view() : std::string_view());
    Player::On(m);
  }
  std::string line_;
};

TEST_F(AllocationTest, PrintingAnAddressNeedsNoMemory) {
  const std::string name(40, 'a');
  auto ping = system_.Spawn<Printer>("ping " + name, &span_).value();
  auto pong = system_.Spawn<Printer>("pong " + name, nullptr).value();
  ping.Tell(Meet{pong});
  pong.Tell(Meet{ping});

  ping.Tell(Probe{0});
  span_.Wait();

  ExpectNone(span_);
}

}  // namespace
}  // namespace quern
