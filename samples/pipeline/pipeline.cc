// A pipeline: orders go through stages, each an actor with a mailbox of its own.
//
//   orders -> Buyer     asks every supplier at once and takes the cheapest; three orders may wait
//          -> Shipper   books a courier beside its turns
//          -> Journal   writes down what came of it

#include <quern/quern.h>
#include <quern/testing/fake_clock.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

struct Order {
  std::string item;
};
struct Ship {
  std::string item;
  int price;
};
struct Note {
  std::string text;
};
struct Read {};

struct BuyerApi : quern::Protocol<void(Order)> {};
struct SupplierApi : quern::Protocol<int(Order)> {};
struct ShipperApi : quern::Protocol<void(Ship)> {};
struct CourierApi : quern::Protocol<std::string(Ship)> {};
struct JournalApi : quern::Protocol<void(Note), std::string(Read)> {};

struct Supplier : quern::Actor<SupplierApi> {
  explicit Supplier(int price) : price_(price) {}
  quern::StatusOr<int> On(const Order& m, quern::Context& context) {
    if (quern::Status slept = context.Sleep(10ms); !slept.ok()) return slept;
    if (m.item == "globe") return absl::NotFoundError("no globes here");
    return price_ + static_cast<int>(m.item.size());
  }
  const int price_;
};

struct Courier : quern::Actor<CourierApi> {
  quern::StatusOr<std::string> On(const Ship& m, quern::Context& context) {
    quern::Status slept = context.Sleep(m.item == "piano" ? 1h : 20ms);
    if (!slept.ok()) return slept;
    return "on its way";
  }
};

struct Buyer : quern::Actor<BuyerApi> {
  Buyer(std::vector<quern::Ref<SupplierApi>> suppliers, quern::Ref<ShipperApi> shipper)
      : suppliers_(std::move(suppliers)), shipper_(std::move(shipper)) {}

  // An error that nobody waits for is a dead letter, and so is what finds no room.
  quern::Status On(const Order& m) {
    std::vector<quern::Pending<int>> asked;
    for (const auto& supplier : suppliers_) asked.push_back(supplier.AskAsync(m, 50ms));
    std::optional<int> best;
    for (const quern::StatusOr<int>& price : quern::AwaitAll(asked)) {
      if (price.ok() && (!best || *price < *best)) best = *price;
    }
    if (!best) return absl::NotFoundError("nobody sells a " + m.item);
    shipper_.Tell(Ship{m.item, *best});
    return absl::OkStatus();
  }
  std::vector<quern::Ref<SupplierApi>> suppliers_;
  quern::Ref<ShipperApi> shipper_;
};

struct Shipper : quern::Actor<ShipperApi> {
  Shipper(quern::Ref<CourierApi> courier, quern::Ref<JournalApi> journal)
      : courier_(std::move(courier)), journal_(std::move(journal)) {}

  // Whatever becomes of the booking, the journal is told; until then the next order is taken.
  quern::Status On(const Ship& m, quern::Context& context) {
    auto book = [courier = courier_, m] { return courier.Ask(m); };
    auto note = [m](quern::StatusOr<std::string> slip) {
      return Note{m.item + " for " + std::to_string(m.price) + ": " +
                  (slip.ok() ? *slip : absl::StatusCodeToString(slip.status().code()))};
    };
    return context.PipeTo(journal_, book, note, {.timeout = 200ms});
  }
  quern::Ref<CourierApi> courier_;
  quern::Ref<JournalApi> journal_;
};

struct Journal : quern::Actor<JournalApi> {
  void On(const Note& m) { text_ += m.text + "\n"; }
  std::string On(const Read&) { return text_; }
  std::string text_;
};

int main() {
  quern::testing::FakeClock clock;
  quern::System system({.name = "shop", .clock = &clock});
  auto journal = system.Spawn<Journal>("journal").value();
  auto courier = system.Spawn<Courier>("courier").value();
  auto shipper = system.Spawn<Shipper>("shipper", courier, journal).value();
  std::vector<quern::Ref<SupplierApi>> suppliers;
  for (int price : {30, 20, 25}) {
    suppliers.push_back(system.Spawn<Supplier>("at-" + std::to_string(price), price).value());
  }
  const quern::SpawnOptions three_wait{.mailbox = quern::BoundedMailbox(3)};
  auto buyer = system.Spawn<Buyer>(three_wait, "buyer", suppliers, shipper).value();

  for (const char* item : {"vase", "globe", "lamp", "piano", "chair", "stool"}) {
    std::cout << item << ": " << quern::DeliveryName(buyer.Tell(Order{item})) << "\n";
    system.WaitUntilQuiet();
  }
  for (int i = 0; i < 40; ++i) {
    clock.AdvanceBy(10ms);
    system.WaitUntilQuiet();
  }
  std::cout << journal.Ask(Read{}).value() << system.dead_letters() << " went no further\n";
}
