// Savina's recursive matrix multiplication: blocks are split in four until they are small enough.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kWorkers = 20;
constexpr size_t kCellsMax = 16384;  // of a block that is multiplied at once

struct Matrices {
  explicit Matrices(size_t n) : size(n), a(n * n), b(n * n), c(n * n) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        a[i * n + j] = static_cast<double>(i);
        b[i * n + j] = static_cast<double>(j);
      }
    }
  }
  size_t size;
  std::vector<double> a, b, c;
};

struct Block {
  size_t row;
  size_t column;
  size_t size;
};
struct Multiply {
  Block block;
};
struct WorkerApi : Protocol<void(Multiply)> {};
struct Split {
  Block block;
};
struct Done {};
struct MasterApi : Protocol<void(Split), void(Done)> {};

void MultiplyBlock(Matrices& m, const Block& block) {
  const size_t n = m.size;
  for (size_t i = block.row; i < block.row + block.size; ++i) {
    for (size_t k = 0; k < n; ++k) {
      const double factor = m.a[i * n + k];
      for (size_t j = block.column; j < block.column + block.size; ++j) {
        m.c[i * n + j] += factor * m.b[k * n + j];
      }
    }
  }
}

// Blocks of c are apart, so that workers share the matrices without a lock.
struct Worker : Actor<WorkerApi> {
  Worker(Matrices* matrices, Ref<MasterApi> master)
      : matrices_(matrices), master_(std::move(master)) {}
  void On(const Multiply& m) {
    const auto [row, column, size] = m.block;
    if (size % 2 != 0 || size * size <= kCellsMax) {
      MultiplyBlock(*matrices_, m.block);
    } else {
      const size_t half = size / 2;
      for (const size_t down : {size_t{0}, half}) {
        for (const size_t right : {size_t{0}, half}) {
          master_.Tell(Split{{row + down, column + right, half}});
        }
      }
    }
    master_.Tell(Done{});
  }
  Matrices* matrices_;
  Ref<MasterApi> master_;
};

struct Master : Actor<MasterApi> {
  Master(Matrices* matrices, Finish* finish, Tally* blocks)
      : matrices_(matrices), finish_(finish), tally_(blocks) {}
  void OnStart(Context& context) {
    for (size_t i = 0; i < kWorkers; ++i) {
      workers_.push_back(context.Spawn<Worker>(std::to_string(i), matrices_, Self()).value());
    }
    On(Split{{0, 0, matrices_->size}});
  }
  void On(const Split& m) { workers_[sent_++ % kWorkers].Tell(Multiply{m.block}); }
  void On(const Done&) {
    if (++done_ < sent_) return;
    tally_->Add(static_cast<int64_t>(sent_));
    finish_->One();
  }
  Matrices* matrices_;
  Finish* finish_;
  Tally* tally_;
  std::vector<Ref<WorkerApi>> workers_;
  size_t sent_ = 0;
  size_t done_ = 0;
};

}  // namespace

Outcome MatrixMultiplication(const Setup& setup) {
  const auto size = static_cast<size_t>(setup.size);
  auto matrices = std::make_unique<Matrices>(size);
  System system(OptionsFor(setup));
  Finish finish;
  Tally blocks;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Master>("master", matrices.get(), &finish, &blocks).value();
  finish.Wait();
  const Took took = watch.Stop();
  Outcome outcome{.messages = static_cast<int64_t>(3 * blocks.sum()), .took = took};
  size_t right = 0;
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      right += matrices->c[i * size + j] == static_cast<double>(size * i * j) ? 1 : 0;
    }
  }
  outcome.Check("right cells", static_cast<double>(right), static_cast<double>(size * size));
  return outcome;
}

}  // namespace quern::bench
