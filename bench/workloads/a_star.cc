// Savina's guided search: workers look through a grid in three dimensions towards its far corner,
// and hand on what is beyond their threshold.

#include <array>
#include <atomic>
#include <cstdint>
#include <queue>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr size_t kWorkers = 20;
constexpr int64_t kThreshold = 1024;  // cells that one message lets a worker look at

// Cells are visited once, whoever comes first: shared by all workers, as in Savina.
struct Grid {
  explicit Grid(int64_t length) : side(length), visited(static_cast<size_t>(side * side * side)) {}
  int64_t side;
  std::vector<std::atomic<bool>> visited;

  int64_t Goal() const { return side * side * side - 1; }
  bool Claim(int64_t cell) {
    return !visited[static_cast<size_t>(cell)].exchange(true, std::memory_order_acq_rel);
  }
  int64_t DistanceToGoal(int64_t cell) const {
    return 3 * (side - 1) - (cell % side + cell / side % side + cell / side / side);
  }
  template <typename Visit>
  void ForEachNeighbour(int64_t cell, Visit visit) const {
    const std::array<int64_t, 3> at = {cell % side, cell / side % side, cell / side / side};
    const std::array<int64_t, 3> step = {1, side, side * side};
    for (size_t axis = 0; axis < 3; ++axis) {
      if (at[axis] > 0) visit(cell - step[axis]);
      if (at[axis] + 1 < side) visit(cell + step[axis]);
    }
  }
};

struct Search {
  int64_t cell;
};
struct WorkerApi : Protocol<void(Search)> {};
struct More {
  int64_t cell;
};
struct Done {
  int64_t looked_at;
};
struct MasterApi : Protocol<void(More), void(Done)> {};

struct Worker : Actor<WorkerApi> {
  Worker(Grid* grid, Ref<MasterApi> master) : grid_(grid), master_(std::move(master)) {}
  void On(const Search& m) {
    const auto farther = [this](int64_t a, int64_t b) {
      return grid_->DistanceToGoal(a) > grid_->DistanceToGoal(b);
    };
    std::priority_queue<int64_t, std::vector<int64_t>, decltype(farther)> open(farther);
    open.push(m.cell);
    int64_t looked_at = 0;
    for (; !open.empty() && looked_at < kThreshold; ++looked_at) {
      const int64_t cell = open.top();
      open.pop();
      grid_->ForEachNeighbour(cell, [&](int64_t next) {
        if (grid_->Claim(next)) open.push(next);
      });
    }
    for (; !open.empty(); open.pop()) master_.Tell(More{open.top()});
    master_.Tell(Done{looked_at});
  }
  Grid* grid_;
  Ref<MasterApi> master_;
};

struct Master : Actor<MasterApi> {
  Master(Grid* grid, Finish* finish, Tally* cells, Tally* messages)
      : grid_(grid), finish_(finish), cells_(cells), messages_(messages) {}
  void OnStart(Context& context) {
    for (size_t i = 0; i < kWorkers; ++i) {
      workers_.push_back(context.Spawn<Worker>(std::to_string(i), grid_, Self()).value());
    }
    grid_->Claim(0);
    On(More{0});
  }
  void On(const More& m) { workers_[sent_++ % kWorkers].Tell(Search{m.cell}); }
  void On(const Done& m) {
    cells_->Add(m.looked_at);
    if (++done_ < sent_) return;
    messages_->Add(static_cast<int64_t>(3 * sent_));
    finish_->One();
  }
  Grid* grid_;
  Finish* finish_;
  Tally* cells_;
  Tally* messages_;
  std::vector<Ref<WorkerApi>> workers_;
  size_t sent_ = 0;
  size_t done_ = 0;
};

}  // namespace

// The size is the grid's in each dimension.
Outcome AStar(const Setup& setup) {
  Grid grid(std::min<int64_t>(setup.size, 200));
  System system(OptionsFor(setup));
  Finish finish;
  Tally cells;
  Tally messages;
  finish.Expect(1);
  Stopwatch watch;
  system.Spawn<Master>("master", &grid, &finish, &cells, &messages).value();
  finish.Wait();
  const Took took = watch.Stop();
  Outcome outcome{.messages = static_cast<int64_t>(messages.sum()), .took = took};
  outcome.Check("cells looked at", cells.sum(), static_cast<double>(grid.Goal() + 1));
  outcome.Check("the goal was reached", grid.Claim(grid.Goal()), false);
  return outcome;
}

}  // namespace quern::bench
