// Savina's chameneos: a hundred creatures meet in pairs at a mall and take each other's colours up.

#include <cstdint>
#include <optional>
#include <string>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int kCreatures = 100;

enum class Colour : uint8_t { kYellow, kBlue, kRed };

// The third colour when they differ.
Colour Complement(Colour a, Colour b) {
  return a == b ? a : static_cast<Colour>(3 - static_cast<int>(a) - static_cast<int>(b));
}

struct Met {
  Colour other;
};
struct Closed {};
struct CreatureApi : Protocol<void(Met), void(Closed)> {};
struct Arrive {
  Ref<CreatureApi> who;
  Colour colour;
};
struct MallApi : Protocol<void(Arrive)> {};

struct Mall : Actor<MallApi> {
  explicit Mall(int64_t meetings) : left_(meetings) {}
  void On(const Arrive& m) {
    if (left_ == 0) {
      m.who.Tell(Closed{});
    } else if (!waiting_) {
      waiting_ = m;
    } else {
      waiting_->who.Tell(Met{m.colour});
      m.who.Tell(Met{waiting_->colour});
      waiting_.reset();
      if (--left_ == 0) return;
    }
  }
  int64_t left_;
  std::optional<Arrive> waiting_;
};

struct Creature : Actor<CreatureApi> {
  Creature(int number, Ref<MallApi> mall, Finish* finish, Tally* meetings)
      : mall_(std::move(mall)),
        colour_(static_cast<Colour>(number % 3)),
        finish_(finish),
        tally_(meetings) {}
  void OnStart() { mall_.Tell(Arrive{Self(), colour_}); }
  void On(const Met& m) {
    ++meetings_;
    colour_ = Complement(colour_, m.other);
    mall_.Tell(Arrive{Self(), colour_});
  }
  void On(const Closed&) {
    tally_->Add(meetings_);
    finish_->One();
  }
  Ref<MallApi> mall_;
  Colour colour_;
  Finish* finish_;
  Tally* tally_;
  int64_t meetings_ = 0;
};

}  // namespace

Outcome Chameneos(const Setup& setup) {
  System system(OptionsFor(setup));
  Finish finish;
  Tally meetings;
  auto mall = system.Spawn<Mall>("mall", setup.size).value();
  finish.Expect(kCreatures);
  Stopwatch watch;
  for (int i = 0; i < kCreatures; ++i) {
    system.Spawn<Creature>(std::to_string(i), i, mall, &finish, &meetings).value();
  }
  finish.Wait();
  Outcome outcome{.messages = 4 * setup.size + 2 * kCreatures, .took = watch.Stop()};
  outcome.Check("meetings", meetings.sum(), static_cast<double>(2 * setup.size));
  return outcome;
}

}  // namespace quern::bench
