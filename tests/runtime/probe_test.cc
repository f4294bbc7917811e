// Also the example of how an actor is tested: Order, against a probe that stands for its invoices.

#include "quern/testing/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "quern/quern.h"
#include "quern/testing/fake_clock.h"
#include "quern/testing/status_matchers.h"
#include "quern/testing/step_system.h"

namespace quern {
namespace {

using testing::FakeClock;
using ::testing::Field;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::IsOkAndHolds;
using ::testing::Not;
using testing::Probe;
using testing::ReasonIs;
using testing::StatusIs;
using testing::StepSystem;
using namespace std::chrono_literals;

struct Bill {
  std::string customer;
  int amount = 0;
};
struct Remind {};
struct IsPaid {
  std::string customer;
};
struct InvoiceApi : Protocol<void(Bill), void(Remind), bool(IsPaid)> {};

struct Pay {
  int amount = 0;
};
struct CanShip {};
struct OrderApi : Protocol<void(Pay), bool(CanShip)> {};

// The actor under test: bills what is to be paid, reminds after a day, ships what has been paid.
struct Order : Actor<OrderApi> {
  Order(std::string customer, Ref<InvoiceApi> invoices)
      : customer_(std::move(customer)), invoices_(std::move(invoices)) {}

  void On(const Pay& m, Context& context) {
    invoices_.Tell(Bill{customer_, m.amount});
    if (context.Sleep(24h).ok()) invoices_.Tell(Remind{});
  }
  StatusOr<bool> On(const CanShip&) { return invoices_.Ask(IsPaid{customer_}, 2s); }

  const std::string customer_;
  const Ref<InvoiceApi> invoices_;
};

TEST(ProbeTest, ShowsWhatAnActorSendsAndWhen) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);
  auto order = system.Spawn<Order>("order", "ada", invoices.ref()).value();

  order.Tell(Pay{5});

  invoices.Expect<Bill>(Field(&Bill::amount, 5));
  invoices.ExpectNothing(23h);
  invoices.Within(2h).Expect<Remind>();
}

TEST(ProbeTest, AnswersAsksAsItWasTold) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);
  auto order = system.Spawn<Order>("order", "ada", invoices.ref()).value();

  invoices.Answer<IsPaid>(true);
  EXPECT_THAT(order.Ask(CanShip{}), IsOkAndHolds(true));
  invoices.AnswerBy<IsPaid>([](const IsPaid& m) { return m.customer != "ada"; });
  EXPECT_THAT(order.Ask(CanShip{}), IsOkAndHolds(false));
  invoices.Answer<IsPaid>(absl::NotFoundError("no such customer"));
  EXPECT_THAT(order.Ask(CanShip{}), StatusIs(absl::StatusCode::kNotFound, "no such customer"));
  EXPECT_EQ(invoices.size(), 3u);
}

struct Ship {};
struct ShipperApi : Protocol<void(Ship), std::string(CanShip)> {};
struct Shipper : Actor<ShipperApi> {
  explicit Shipper(Ref<InvoiceApi> invoices) : invoices_(std::move(invoices)) {}
  void On(const Ship&) { said_ = invoices_.Ask(IsPaid{"ada"}).value_or(false) ? "paid" : "open"; }
  std::string On(const CanShip&) { return said_; }
  const Ref<InvoiceApi> invoices_;
  std::string said_;
};

TEST(ProbeTest, AnAskWithoutAnAnswerWaitsForReply) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);
  auto shipper = system.Spawn<Shipper>("shipper", invoices.ref()).value();
  shipper.Tell(Ship{});
  auto asked = invoices.Expect<IsPaid>([](const IsPaid& m) { return m.customer == "ada"; });

  EXPECT_TRUE(asked.has_value());
  EXPECT_TRUE(invoices.Reply<IsPaid>(true));
  EXPECT_THAT(shipper.Ask(CanShip{}), IsOkAndHolds("paid"));
  EXPECT_NONFATAL_FAILURE(invoices.Reply<IsPaid>(true), "no ask of");
}

TEST(ProbeTest, AnAskThatTheTestNeverRepliesToMissesItsDeadline) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {  // asker and probe give up in the same instant
    StepSystem system({.seed = seed});
    Probe<InvoiceApi> invoices(system);
    auto order = system.Spawn<Order>("order", "ada", invoices.ref()).value();

    EXPECT_THAT(order.Ask(CanShip{}), StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_THAT(invoices.ref().Ask(IsPaid{"ada"}, 1s),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
}

TEST(ProbeTest, FailuresSayWhatCameInstead) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);

  EXPECT_NONFATAL_FAILURE(invoices.Expect<Remind>(), "at /probe, but nothing came");
  invoices.ref().Tell(Bill{"ada", 5});
  EXPECT_NONFATAL_FAILURE(invoices.Expect<Remind>(), "but the next is ");
  EXPECT_NONFATAL_FAILURE(invoices.Expect<Bill>(Field(&Bill::amount, 6)), "is equal to 6");
  EXPECT_NONFATAL_FAILURE(invoices.ExpectNothing(), "expected no message");
  EXPECT_TRUE(invoices.Expect<Bill>());  // it stayed
}

TEST(ProbeTest, AFailurePointsAtTheCallersLine) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);
  ::testing::TestPartResultArray results;
  int line = 0;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    line = __LINE__ + 1;
    invoices.Expect<Remind>();
  }

  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results.GetTestPartResult(0).line_number(), line);
  EXPECT_THAT(results.GetTestPartResult(0).file_name(), HasSubstr("probe_test.cc"));
}

TEST(ProbeTest, SeesAnActorStop) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);
  auto order = system.Spawn<Order>("order", "ada", invoices.ref()).value();

  EXPECT_NONFATAL_FAILURE(invoices.Within(1s).ExpectTerminated(order), "expected /order to stop");
  order.Stop();
  EXPECT_TRUE(invoices.ExpectTerminated(order));
}

TEST(ProbeTest, ClearForgetsWhatHasCome) {
  StepSystem system;
  Probe<InvoiceApi> invoices(system);
  for (int i = 0; i < 3; ++i) invoices.ref().Tell(Bill{"ada", i});
  system.RunUntilIdle();
  EXPECT_EQ(invoices.size(), 3u);

  invoices.Clear();

  EXPECT_TRUE(invoices.ExpectNothing());
}

TEST(ProbeTest, WorksOnARealSystemWithAFakeClock) {
  FakeClock clock;
  System system({.name = "test", .workers = 2, .clock = &clock});
  Probe<InvoiceApi> invoices(system);
  auto order = system.Spawn<Order>("order", "ada", invoices.ref()).value();
  order.Tell(Pay{7});

  invoices.Expect<Bill>(Field(&Bill::amount, 7));
  invoices.ExpectNothing(23h);
  clock.AdvanceBy(1h);
  invoices.Expect<Remind>();
  order.Stop();
  EXPECT_TRUE(invoices.ExpectTerminated(order));
}

TEST(ProbeTest, WorksOnARealSystemWithARealClock) {
  System system({.name = "test", .workers = 2});
  Probe<InvoiceApi> invoices(system);
  auto shipper = system.Spawn<Shipper>("shipper", invoices.ref()).value();
  shipper.Tell(Ship{});

  EXPECT_TRUE(invoices.Within(60s).Expect<IsPaid>());
  EXPECT_TRUE(invoices.Reply<IsPaid>(true));
  EXPECT_THAT(shipper.Ask(CanShip{}, 60s), IsOkAndHolds("paid"));
}

struct Parcel {
  std::unique_ptr<int> weight;
};
struct ParcelApi : Protocol<void(Parcel)> {};

TEST(ProbeTest, TakesMessagesThatOnlyMove) {
  StepSystem system;
  Probe<ParcelApi> probe(system);
  probe.ref().Tell(Parcel{std::make_unique<int>(3)});

  auto parcel = probe.Expect<Parcel>([](const Parcel& m) { return *m.weight == 3; });

  ASSERT_TRUE(parcel.has_value());
  EXPECT_EQ(*parcel->weight, 3);
}

TEST(ProbeTest, ANameThatIsTakenFailsTheTest) {
  StepSystem system;
  Probe<ParcelApi> first(system);

  EXPECT_NONFATAL_FAILURE(Probe<ParcelApi>(system, "probe"), "ALREADY_EXISTS");
}

TEST(StatusMatchersTest, TellStatusesApart) {
  const Status stale = WithReason(absl::AbortedError("moved on"), Reason::kMoved);
  const StatusOr<int> seven = 7;

  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(seven, IsOk());
  EXPECT_THAT(seven, IsOkAndHolds(::testing::Gt(6)));
  EXPECT_THAT(seven, Not(IsOkAndHolds(8)));
  EXPECT_THAT(StatusOr<int>(stale), Not(IsOkAndHolds(7)));
  EXPECT_THAT(stale, Not(IsOk()));
  EXPECT_THAT(stale, StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(stale, StatusIs(absl::StatusCode::kAborted, HasSubstr("moved")));
  EXPECT_THAT(stale, Not(StatusIs(absl::StatusCode::kAborted, "other")));
  EXPECT_THAT(stale, ReasonIs(Reason::kMoved));
  EXPECT_THAT(StatusOr<int>(stale), Not(ReasonIs(Reason::kNone)));
}

}  // namespace
}  // namespace quern
