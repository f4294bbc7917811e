// Every form that a handler may have, and what the compiler must make of it: each row is one actor
// class with one member On written in that form.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "quern/quern.h"

namespace quern {
namespace {

struct Get {
  int base = 0;
};
struct Other {};
struct Box {
  std::unique_ptr<int> value;
};

struct GetApi : Protocol<int(Get)> {};
struct BoxApi : Protocol<int(Box)> {};
struct VoidApi : Protocol<void(Get)> {};

template <typename A, typename M>
StatusOr<int> AskOne(M message) {
  System system("matrix");
  return system.Spawn<A>("one").value().Ask(std::move(message));
}

// --- forms that are handlers -------------------------------------------------------------------

struct Plain : Actor<GetApi> {
  int On(const Get& m) { return m.base + 1; }
};
struct Const : Actor<GetApi> {
  int On(const Get& m) const { return m.base + 2; }
};
struct Noexcept : Actor<GetApi> {
  int On(const Get& m) noexcept { return m.base + 3; }
};
struct ConstNoexcept : Actor<GetApi> {
  int On(const Get& m) const noexcept { return m.base + 4; }
};
struct ByValue : Actor<GetApi> {
  int On(Get m) { return m.base + 5; }
};
struct WithContext : Actor<GetApi> {
  int On(const Get& m, Context&) { return m.base + 6; }
};
struct ConstWithContext : Actor<GetApi> {
  int On(const Get& m, Context&) const { return m.base + 7; }
};
struct WithStatusOr : Actor<GetApi> {
  StatusOr<int> On(const Get& m) { return m.base + 8; }
};
struct WithDeferred : Actor<GetApi> {
  void On(const Get& m, Deferred<int> reply) { reply.Answer(m.base + 9); }
};
struct WithContextAndDeferred : Actor<GetApi> {
  void On(const Get& m, Context&, Deferred<int> reply) const { reply.Answer(m.base + 10); }
};
struct Inherited : Plain {};
struct Brought : Plain {
  using Plain::On;
  int On(const Other&) { return 0; }
};
struct Virtual : Actor<GetApi> {
  virtual ~Virtual() = default;
  virtual int On(const Get& m) = 0;
};
struct Overrider : Virtual {
  int On(const Get& m) override { return m.base + 11; }
};
struct Template : Actor<GetApi> {
  template <typename M>
  int On(const M& m) {
    return m.base + 12;
  }
};
struct TemplateBesidePlain : Actor<GetApi> {
  int On(const Get& m) { return m.base + 13; }
  template <typename M>
  void On(const M&) {}
};
struct Helped : Actor<GetApi> {
  int On(const Get& m) { return On(m, 14); }

 private:
  int On(const Get& m, int add) { return m.base + add; }
  int On(const Other&) { return 0; }
};
class PrivateInSet : public Actor<GetApi> {
 public:
  int On(const Get& m) { return m.base + 15; }

 private:
  int On(const Other&) { return 0; }
};
struct Convertible : Actor<GetApi> {
  int On(const Get& m) { return m.base + 16; }
  int On(int) { return 0; }
};
struct Moved : Actor<BoxApi> {
  int On(Box&& m) { return *std::exchange(m.value, nullptr); }
};
struct MovedByValue : Actor<BoxApi> {
  int On(Box m, Context&) { return *m.value; }
};

TEST(HandlerMatrixTest, EachFormIsFoundAndRun) {
  EXPECT_EQ(AskOne<Plain>(Get{100}).value(), 101);
  EXPECT_EQ(AskOne<Const>(Get{100}).value(), 102);
  EXPECT_EQ(AskOne<Noexcept>(Get{100}).value(), 103);
  EXPECT_EQ(AskOne<ConstNoexcept>(Get{100}).value(), 104);
  EXPECT_EQ(AskOne<ByValue>(Get{100}).value(), 105);
  EXPECT_EQ(AskOne<WithContext>(Get{100}).value(), 106);
  EXPECT_EQ(AskOne<ConstWithContext>(Get{100}).value(), 107);
  EXPECT_EQ(AskOne<WithStatusOr>(Get{100}).value(), 108);
  EXPECT_EQ(AskOne<WithDeferred>(Get{100}).value(), 109);
  EXPECT_EQ(AskOne<WithContextAndDeferred>(Get{100}).value(), 110);
  EXPECT_EQ(AskOne<Overrider>(Get{100}).value(), 111);
}

TEST(HandlerMatrixTest, InheritedAndBroughtInHandlersAreFound) {
  EXPECT_EQ(AskOne<Inherited>(Get{100}).value(), 101);
  EXPECT_EQ(AskOne<Brought>(Get{100}).value(), 101);
}

TEST(HandlerMatrixTest, ATemplateHandlesWhatNoPlainMemberDoes) {
  EXPECT_EQ(AskOne<Template>(Get{100}).value(), 112);
  EXPECT_EQ(AskOne<TemplateBesidePlain>(Get{100}).value(), 113);
}

TEST(HandlerMatrixTest, OtherMembersOfTheSetDoNotMatter) {
  EXPECT_EQ(AskOne<Helped>(Get{100}).value(), 114);
  EXPECT_EQ(AskOne<PrivateInSet>(Get{100}).value(), 115);
  EXPECT_EQ(AskOne<Convertible>(Get{100}).value(), 116);
}

TEST(HandlerMatrixTest, AMovedMessageReachesItsHandlerWhole) {
  EXPECT_EQ(AskOne<Moved>(Box{std::make_unique<int>(7)}).value(), 7);
  EXPECT_EQ(AskOne<MovedByValue>(Box{std::make_unique<int>(8)}).value(), 8);
}

// --- forms that are not ------------------------------------------------------------------------

struct None : Actor<GetApi> {
  int On(const Other&) { return 0; }
};
struct Hidden : Plain {
  int On(const Other&) { return 0; }  // hides Plain::On
};
class Private : public Actor<GetApi> {
  int On(const Get&) { return 0; }
};
struct PrivateOfTwo : Actor<GetApi> {
  int On(const Other&) { return 0; }

 private:
  int On(const Get&) { return 0; }
};
struct Converting : Actor<Protocol<void(int)>> {
  void On(double) {}
};
struct NonConstRef : Actor<GetApi> {
  int On(Get&) { return 0; }
};
struct Static : Actor<GetApi> {
  static int On(const Get&) { return 0; }
};
struct TwoPasses : Actor<GetApi> {
  int On(const Get&) { return 0; }
  int On(Get&&) { return 0; }
};
struct ConstAndNot : Actor<GetApi> {
  int On(const Get&) { return 0; }
  int On(const Get&) const { return 0; }
};
struct WithAndWithout : Actor<GetApi> {
  int On(const Get&) { return 0; }
  int On(const Get&, Context&) { return 0; }
};
struct NowAndLater : Actor<GetApi> {
  int On(const Get&) { return 0; }
  void On(const Get&, Deferred<int>) {}
};
struct GreedyTemplate : Actor<GetApi> {
  template <typename M>
  int On(M) {
    return 0;
  }
};
struct WrongReturn : Actor<GetApi> {
  int64_t On(const Get&) { return 0; }
};
struct NoReturn : Actor<GetApi> {
  void On(const Get&) {}
};
struct StatusForValue : Actor<GetApi> {
  Status On(const Get&) { return Status(); }
};
struct ValueForVoid : Actor<VoidApi> {
  int On(const Get&) { return 0; }
};
struct WrongDeferred : Actor<GetApi> {
  void On(const Get&, Deferred<int64_t>) {}
};
struct DeferredAndReturn : Actor<GetApi> {
  int On(const Get&, Deferred<int>) { return 0; }
};
struct DeferredFirst : Actor<GetApi> {
  void On(const Get&, Deferred<int>, Context&) {}
};

using internal::HandlerMistake;
using internal::kHandlesAll;
template <typename A>
using NoHandler = internal::this_actor_has_no_handler_On_for_this_message_of_its_Api<A, Get>;
template <typename A>
using ManyHandlers = internal::this_actor_has_more_than_one_handler_On_for_this_message<A, Get>;
template <typename A, typename R = int>
using BadReturn =
    internal::this_handler_On_must_return_the_reply_that_the_Api_declares_or_StatusOr_of_it<A, Get,
                                                                                            R>;
template <typename A>
using BadDeferred = internal::
    this_handler_On_must_return_void_and_take_a_Deferred_of_the_reply_that_the_Api_declares<A, Get,
                                                                                            int>;

template <typename A, typename Mistake>
constexpr bool kRefusedAs = !kHandlesAll<A> && std::is_same_v<HandlerMistake<A>, Mistake>;

static_assert(kRefusedAs<None, NoHandler<None>>);
static_assert(kRefusedAs<Hidden, NoHandler<Hidden>>);
static_assert(kRefusedAs<Private, NoHandler<Private>>);
static_assert(kRefusedAs<PrivateOfTwo, NoHandler<PrivateOfTwo>>);
static_assert(!kHandlesAll<Converting>);
static_assert(kRefusedAs<NonConstRef, NoHandler<NonConstRef>>);
static_assert(kRefusedAs<Static, NoHandler<Static>>);
static_assert(kRefusedAs<DeferredFirst, NoHandler<DeferredFirst>>);

static_assert(kRefusedAs<TwoPasses, ManyHandlers<TwoPasses>>);
static_assert(kRefusedAs<ConstAndNot, ManyHandlers<ConstAndNot>>);
static_assert(kRefusedAs<WithAndWithout, ManyHandlers<WithAndWithout>>);
static_assert(kRefusedAs<NowAndLater, ManyHandlers<NowAndLater>>);
static_assert(kRefusedAs<GreedyTemplate, ManyHandlers<GreedyTemplate>>);

static_assert(kRefusedAs<WrongReturn, BadReturn<WrongReturn>>);
static_assert(kRefusedAs<NoReturn, BadReturn<NoReturn>>);
static_assert(kRefusedAs<StatusForValue, BadReturn<StatusForValue>>);
static_assert(kRefusedAs<ValueForVoid, BadReturn<ValueForVoid, void>>);

static_assert(kRefusedAs<WrongDeferred, BadDeferred<WrongDeferred>>);
static_assert(kRefusedAs<DeferredAndReturn, BadDeferred<DeferredAndReturn>>);

}  // namespace
}  // namespace quern
