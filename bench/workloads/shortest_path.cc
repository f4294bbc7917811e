// Savina's all-pairs shortest path: Floyd and Warshall's algorithm over blocks, an actor each; in
// every round each block sends itself to those in its row and its column.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quern/bench/finish.h"
#include "quern/quern.h"
#include "random.h"
#include "workloads.h"

namespace quern::bench {
namespace {

constexpr int64_t kBlock = 50;

using Cells = std::vector<int64_t>;  // a block's, row by row

struct Neighbours;
struct Part {
  int64_t round;
  int64_t row;
  int64_t column;
  std::shared_ptr<const Cells> cells;  // read by all who get it
};
struct BlockApi : Protocol<void(Neighbours), void(Part)> {};
struct Neighbours {
  std::vector<Ref<BlockApi>> all;  // of the same row or column
};

Cells Graph(int64_t nodes) {
  Cells graph(static_cast<size_t>(nodes * nodes));
  Xorshift random(5);
  for (int64_t i = 0; i < nodes; ++i) {
    for (int64_t j = 0; j < nodes; ++j) {
      graph[static_cast<size_t>(i * nodes + j)] =
          i == j ? 0 : static_cast<int64_t>(random.Below(100)) + 1;
    }
  }
  return graph;
}

// What node k, the round's, makes shorter. It needs column k of the blocks beside and row k of
// those above and below, as they were in the round before.
struct Block : Actor<BlockApi> {
  Block(int64_t row, int64_t column, int64_t blocks, Cells cells, Finish* finish, Tally* sum)
      : row_(row),
        column_(column),
        rounds_(blocks * kBlock),
        wanted_(2 * (blocks - 1)),
        cells_(std::make_shared<const Cells>(std::move(cells))),
        finish_(finish),
        tally_(sum) {}

  void On(const Neighbours& m) {
    neighbours_ = m.all;
    Send();
    Advance();
  }
  void On(const Part& m) {
    (m.round == round_ ? now_ : later_).push_back(m);
    Advance();
  }

 private:
  void Send() {
    for (const auto& neighbour : neighbours_) {
      neighbour.Tell(Part{round_, row_, column_, cells_});
    }
  }
  void Advance() {
    while (round_ < rounds_ && !(neighbours_.empty() && wanted_ > 0) &&
           static_cast<int64_t>(now_.size()) == wanted_) {
      Relax();
      ++round_;
      now_.swap(later_);
      later_.clear();
      if (round_ < rounds_) {
        Send();
        continue;
      }
      int64_t sum = 0;
      for (const int64_t cell : *cells_) sum += cell;
      tally_->Add(sum);
      finish_->One();
    }
  }
  const Cells& At(int64_t row, int64_t column) const {
    if (row == row_ && column == column_) return *cells_;
    return *std::find_if(now_.begin(), now_.end(), [&](const Part& part) {
              return part.row == row && part.column == column;
            })->cells;
  }
  void Relax() {
    const int64_t within = round_ % kBlock;
    const Cells& beside = At(row_, round_ / kBlock);
    const Cells& above = At(round_ / kBlock, column_);
    auto next = std::make_shared<Cells>(*cells_);
    for (int64_t i = 0; i < kBlock; ++i) {
      for (int64_t j = 0; j < kBlock; ++j) {
        int64_t& cell = (*next)[static_cast<size_t>(i * kBlock + j)];
        cell = std::min(cell, beside[static_cast<size_t>(i * kBlock + within)] +
                                  above[static_cast<size_t>(within * kBlock + j)]);
      }
    }
    cells_ = std::move(next);
  }

  const int64_t row_, column_, rounds_, wanted_;
  std::shared_ptr<const Cells> cells_;
  Finish* finish_;
  Tally* tally_;
  std::vector<Ref<BlockApi>> neighbours_;
  std::vector<Part> now_, later_;
  int64_t round_ = 0;
};

double SumOfShortest(Cells graph, int64_t nodes) {
  const auto at = [&](int64_t i, int64_t j) -> int64_t& {
    return graph[static_cast<size_t>(i * nodes + j)];
  };
  for (int64_t k = 0; k < nodes; ++k) {
    for (int64_t i = 0; i < nodes; ++i) {
      for (int64_t j = 0; j < nodes; ++j) at(i, j) = std::min(at(i, j), at(i, k) + at(k, j));
    }
  }
  double sum = 0;
  for (const int64_t cell : graph) sum += static_cast<double>(cell);
  return sum;
}

Cells Cut(const Cells& graph, int64_t nodes, int64_t row, int64_t column) {
  Cells cells;
  for (int64_t i = 0; i < kBlock; ++i) {
    const auto begin = graph.begin() + ((row * kBlock + i) * nodes + column * kBlock);
    cells.insert(cells.end(), begin, begin + kBlock);
  }
  return cells;
}

}  // namespace

// The size is the number of nodes, in whole blocks.
Outcome AllPairsShortestPath(const Setup& setup) {
  const int64_t blocks = std::max<int64_t>(1, setup.size / kBlock);
  const int64_t nodes = blocks * kBlock;
  const Cells graph = Graph(nodes);
  System system(OptionsFor(setup));
  Finish finish;
  Tally sum;
  std::vector<Ref<BlockApi>> all;
  for (int64_t i = 0; i < blocks * blocks; ++i) {
    const int64_t row = i / blocks;
    const int64_t column = i % blocks;
    all.push_back(system
                      .Spawn<Block>(std::to_string(i), row, column, blocks,
                                    Cut(graph, nodes, row, column), &finish, &sum)
                      .value());
  }
  finish.Expect(blocks * blocks);
  Stopwatch watch;
  for (int64_t i = 0; i < blocks * blocks; ++i) {
    std::vector<Ref<BlockApi>> neighbours;
    for (int64_t j = 0; j < blocks * blocks; ++j) {
      const bool near = i / blocks == j / blocks || i % blocks == j % blocks;
      if (near && i != j) neighbours.push_back(all[static_cast<size_t>(j)]);
    }
    all[static_cast<size_t>(i)].Tell(Neighbours{std::move(neighbours)});
  }
  finish.Wait();
  Outcome outcome{.messages = blocks * blocks * std::max<int64_t>(1, 2 * (blocks - 1)) * nodes,
                  .took = watch.Stop()};
  outcome.Check("sum of distances", sum.sum(), SumOfShortest(graph, nodes));
  return outcome;
}

}  // namespace quern::bench
