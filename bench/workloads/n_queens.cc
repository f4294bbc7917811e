// Savina's first N queens: workers take boards apart until few enough rows are left, then search.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kWorkers = 20;
constexpr int kSearchBelow = 4;  // rows that are set before a worker searches on by itself
constexpr std::array<int64_t, 15> kSolutions = {1,  1,   0,   0,    2,     10,    4,     40,
                                                92, 352, 724, 2680, 14200, 73712, 365596};

// Columns and diagonals that are taken, as bits.
struct Board {
  uint32_t columns = 0;
  uint32_t rising = 0;
  uint32_t falling = 0;
  int rows = 0;
};

template <typename Visit>
void ForEachNext(const Board& board, int size, Visit visit) {
  const uint32_t all = (uint32_t{1} << size) - 1;
  for (uint32_t free = all & ~(board.columns | board.rising | board.falling); free != 0;) {
    const uint32_t place = free & (~free + 1);
    free ^= place;
    visit(Board{board.columns | place, (board.rising | place) << 1, (board.falling | place) >> 1,
                board.rows + 1});
  }
}

int64_t Search(const Board& board, int size) {
  if (board.rows == size) return 1;
  int64_t found = 0;
  ForEachNext(board, size, [&](const Board& next) { found += Search(next, size); });
  return found;
}

struct Try {
  Board board;
};
struct WorkerApi : Protocol<void(Try)> {};
struct Found {
  int64_t solutions;
  int64_t more;  // boards that it has handed on
};
struct Split {
  Board board;
};
struct MasterApi : Protocol<void(Found), void(Split)> {};

struct Worker : Actor<WorkerApi> {
  Worker(int size, Ref<MasterApi> master) : size_(size), master_(std::move(master)) {}
  void On(const Try& m) {
    if (m.board.rows >= kSearchBelow || m.board.rows == size_) {
      master_.Tell(Found{Search(m.board, size_), 0});
      return;
    }
    int64_t more = 0;
    ForEachNext(m.board, size_, [&](const Board& next) {
      ++more;
      master_.Tell(Split{next});
    });
    master_.Tell(Found{0, more});
  }
  const int size_;
  Ref<MasterApi> master_;
};

struct Master : Actor<MasterApi> {
  Master(int size, Finish* finish, Tally* solutions, Tally* boards)
      : size_(size), finish_(finish), solutions_(solutions), boards_(boards) {}
  void OnStart(Context& context) {
    for (size_t i = 0; i < kWorkers; ++i) {
      workers_.push_back(context.Spawn<Worker>(std::to_string(i), size_, Self()).value());
    }
    On(Split{});
  }
  void On(const Split& m) { workers_[static_cast<size_t>(sent_++) % kWorkers].Tell(Try{m.board}); }
  void On(const Found& m) {
    solutions_->Add(m.solutions);
    if (++answered_ < sent_) return;
    boards_->Add(sent_);
    finish_->One();
  }
  const int size_;
  Finish* finish_;
  Tally* solutions_;
  Tally* boards_;
  std::vector<Ref<WorkerApi>> workers_;
  int64_t sent_ = 0;
  int64_t answered_ = 0;
};

}  // namespace

// The size is that of the board, 14 at most.
Outcome NQueens(const Setup& setup) {
  const int size = static_cast<int>(std::min<int64_t>(setup.size, 14));
  System system(OptionsFor(setup));
  Finish finish;
  Tally solutions;
  Tally boards;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Master>("master", size, &finish, &solutions, &boards).value();
  finish.Wait();
  const Took took = watch.Stop();
  Outcome outcome{.messages = static_cast<int64_t>(3 * boards.sum()), .took = took};
  outcome.Check("solutions", solutions.sum(),
                static_cast<double>(kSolutions[static_cast<size_t>(size)]));
  return outcome;
}

}  // namespace quern::bench
