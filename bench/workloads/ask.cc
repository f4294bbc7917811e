// Questions one after another, each awaited before the next: from an actor, from a plain thread.

#include <chrono>
#include <cstdint>

#include "quern/bench/finish.h"
#include "quern/bench/latencies.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

struct Query {
  int64_t value;
};
struct EchoApi : Protocol<int64_t(Query)> {};
struct Echo : Actor<EchoApi> {
  int64_t On(const Query& m) { return m.value + 1; }
};

// What an asker saw: every answer is one above its question.
struct Answers {
  explicit Answers(int64_t asks) : latencies(asks) {}

  void AskOnce(const Ref<EchoApi>& echo, int64_t i) {
    const int64_t before = Nanoseconds();
    right += echo.Ask(Query{i}, std::chrono::minutes(1)).value_or(0) == i + 1 ? 1 : 0;
    latencies.Add(Nanoseconds() - before);
  }
  Outcome Result(int64_t asks, Took took) {
    Outcome outcome{.messages = asks, .took = took};
    outcome.figures = {{"p50_ns", latencies.Quantile(0.5)},
                       {"p99_ns", latencies.Quantile(0.99)},
                       {"p999_ns", latencies.Quantile(0.999)}};
    outcome.Check("right answers", static_cast<double>(right), static_cast<double>(asks));
    return outcome;
  }

  Latencies latencies;
  int64_t right = 0;
};

struct AskOften {
  int64_t count;
};
struct AskerApi : Protocol<void(AskOften)> {};
struct Asker : Actor<AskerApi> {
  Asker(Ref<EchoApi> echo, Answers* answers, Finish* finish)
      : echo_(std::move(echo)), answers_(answers), finish_(finish) {}

  void On(const AskOften& m) {
    for (int64_t i = 0; i < m.count; ++i) answers_->AskOnce(echo_, i);
    finish_->One();
  }
  Ref<EchoApi> echo_;
  Answers* answers_;
  Finish* finish_;
};

}  // namespace

Outcome Ask(const Setup& setup) {
  Answers answers(setup.size);
  System system(OptionsFor(setup));
  Finish finish;
  auto echo = system.Spawn<Echo>("echo").value();
  auto asker = system.Spawn<Asker>("asker", echo, &answers, &finish).value();
  finish.Expect(1);
  Stopwatch watch;
  asker.Tell(AskOften{setup.size});
  finish.Wait();
  return answers.Result(setup.size, watch.Stop());
}

Outcome AskThread(const Setup& setup) {
  Answers answers(setup.size);
  System system(OptionsFor(setup));
  auto echo = system.Spawn<Echo>("echo").value();
  Stopwatch watch;
  for (int64_t i = 0; i < setup.size; ++i) answers.AskOnce(echo, i);
  return answers.Result(setup.size, watch.Stop());
}

}  // namespace quern::bench
