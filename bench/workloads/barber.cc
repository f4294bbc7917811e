// Savina's sleeping barber: customers wait in a room with a thousand seats and come again when it
// is full.

#include <cstdint>
#include <deque>
#include <string>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kSeats = 1000;
constexpr uint64_t kHaircut = 1000;  // at most so many steps of a generator

void Busy(Xorshift& random) {
  for (uint64_t i = random.Below(kHaircut); i > 0; --i) random.Next();
}

struct Full {};
struct Done {};
struct CustomerApi : Protocol<void(Full), void(Done)> {};
struct Enter {
  Ref<CustomerApi> customer;
};
struct NextPlease {};
struct RoomApi : Protocol<void(Enter), void(NextPlease)> {};
struct Cut {
  Ref<CustomerApi> customer;
  Ref<RoomApi> room;
};
struct BarberApi : Protocol<void(Cut)> {};

struct Barber : Actor<BarberApi> {
  void On(const Cut& m) {
    Busy(random_);
    m.customer.Tell(Done{});
    m.room.Tell(NextPlease{});
  }
  Xorshift random_{4};
};

struct Room : Actor<RoomApi> {
  explicit Room(Ref<BarberApi> barber) : barber_(std::move(barber)) {}
  void On(const Enter& m) {
    if (waiting_.size() == kSeats) {
      m.customer.Tell(Full{});
    } else if (asleep_) {
      asleep_ = false;
      barber_.Tell(Cut{m.customer, Self()});
    } else {
      waiting_.push_back(m.customer);
    }
  }
  void On(const NextPlease&) {
    if (waiting_.empty()) {
      asleep_ = true;
      return;
    }
    barber_.Tell(Cut{waiting_.front(), Self()});
    waiting_.pop_front();
  }
  Ref<BarberApi> barber_;
  std::deque<Ref<CustomerApi>> waiting_;
  bool asleep_ = true;
};

struct Customer : Actor<CustomerApi> {
  Customer(uint64_t number, Ref<RoomApi> room, Finish* finish, Tally* tries)
      : room_(std::move(room)), finish_(finish), tally_(tries), random_(number) {}
  void OnStart() { room_.Tell(Enter{Self()}); }
  void On(const Full&) {
    ++tries_;
    Busy(random_);
    room_.Tell(Enter{Self()});
  }
  void On(const Done&) {
    tally_->Add(tries_);
    finish_->One();
  }
  Ref<RoomApi> room_;
  Finish* finish_;
  Tally* tally_;
  Xorshift random_;
  int64_t tries_ = 1;
};

}  // namespace

Outcome SleepingBarber(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally tries;
  auto barber = system.Spawn<Barber>("barber").value();
  auto room = system.Spawn<Room>("room", barber).value();
  finish.Expect(setup.size);
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) {
    const auto number = static_cast<uint64_t>(i);
    system.Spawn<Customer>(std::to_string(i), number, room, &finish, &tries).value();
  }
  finish.Wait();
  const Took took = watch.Stop();
  const auto entered = static_cast<int64_t>(tries.sum());
  Outcome outcome{.messages = 2 * entered + 2 * setup.size, .took = took};
  outcome.Check("everybody came in", entered >= setup.size, true);
  return outcome;
}

}  // namespace quern::bench
