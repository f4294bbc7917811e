// How an actor is tested: a system without threads, probes in place of its neighbours, and time
// that goes by when the test says so. Nothing sleeps, nothing is flaky, a failure prints its seed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <quern/quern.h>
#include <quern/testing/probe.h>
#include <quern/testing/status_matchers.h>
#include <quern/testing/step_system.h>

#include <chrono>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using quern::testing::IsOkAndHolds;
using quern::testing::Probe;
using quern::testing::StatusIs;
using quern::testing::StepSystem;
using ::testing::Field;

// ---- What is tested: an order that is paid in parts, and reminds its customer every week

struct Letter {
  std::string text;
};
struct MailApi : quern::Protocol<void(Letter)> {};

struct Charge {
  int cents;
};
struct BankApi : quern::Protocol<bool(Charge)> {};

struct Pay {
  int cents;
};
struct OrderApi : quern::Protocol<int(Pay)> {};  // answers what is left to pay

struct Remind {};

class Order : public quern::Actor<OrderApi, void(Remind)> {
 public:
  Order(int cents, quern::Ref<BankApi> bank, quern::Ref<MailApi> mail)
      : due_(cents), bank_(std::move(bank)), mail_(std::move(mail)) {}

  quern::StatusOr<int> On(const Pay& m, quern::Context& context) {
    if (m.cents > due_) return absl::InvalidArgumentError("that is more than is due");
    quern::StatusOr<bool> charged = bank_.Ask(Charge{m.cents}, 2s);
    if (!charged.ok()) return charged.status();
    if (!*charged) return absl::FailedPreconditionError("the bank refuses");
    due_ -= m.cents;
    if (due_ == 0) {
      mail_.Tell(Letter{"thank you"});
      context.Stop();
    }
    return due_;
  }
  void On(const Remind&) { mail_.Tell(Letter{"please pay " + std::to_string(due_)}); }

 private:
  int due_;
  quern::Ref<BankApi> bank_;
  quern::Ref<MailApi> mail_;
  quern::TimerId remind_ = Every(24h * 7, Remind{});
};

// ---- The tests

class OrderTest : public ::testing::Test {
 protected:
  StepSystem system_;
  Probe<BankApi> bank_{system_, "bank"};
  Probe<MailApi> mail_{system_, "mail"};
  quern::Ref<OrderApi> order_ =
      system_.Spawn<Order>("order", 100, bank_.ref(), mail_.ref()).value();
};

TEST_F(OrderTest, APartIsChargedAndTheRestStaysDue) {
  bank_.Answer<Charge>(true);

  EXPECT_THAT(order_.Ask(Pay{70}), IsOkAndHolds(30));

  bank_.Expect<Charge>(Field(&Charge::cents, 70));
  mail_.ExpectNothing();
}

TEST_F(OrderTest, MoreThanIsDueNeverReachesTheBank) {
  EXPECT_THAT(order_.Ask(Pay{101}), StatusIs(absl::StatusCode::kInvalidArgument));

  bank_.ExpectNothing();
}

TEST_F(OrderTest, ABankThatIsSilentIsGivenUpAfterItsTwoSeconds) {
  const quern::Time asked = system_.clock().Now();

  EXPECT_THAT(order_.Ask(Pay{100}), StatusIs(absl::StatusCode::kDeadlineExceeded));

  EXPECT_EQ(system_.clock().Now() - asked, 2s);
}

TEST_F(OrderTest, TheCustomerIsRemindedEveryWeekUntilTheLastCent) {
  bank_.Answer<Charge>(true);

  mail_.ExpectNothing(24h * 6);
  mail_.Within(24h * 1).Expect<Letter>(Field(&Letter::text, "please pay 100"));
  EXPECT_THAT(order_.Ask(Pay{100}), IsOkAndHolds(0));
  mail_.Expect<Letter>([](const Letter& letter) { return letter.text == "thank you"; });
  mail_.ExpectTerminated(order_);
  mail_.ExpectNothing(24h * 30);
}

}  // namespace
