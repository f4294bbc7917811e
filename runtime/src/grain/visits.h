// Which activation each worker is handing a message to at this moment, so that whoever wants to
// close an activation, or to let go of one that other threads may have found through the same
// pointer, can wait until nobody is in there: hazard pointers (Maged Michael, 2004), one a worker.
//
//   Visit visit(visits, worker, found);              // a counted pointer that others may replace
//   if (visit) visit->Admit(envelope);               // a push: no call out, no suspension
//
//   Activation* old = found.exchange(other);         // elsewhere
//   visits.AwaitNone(old);                           // nobody is in it, nobody will come
//   old->Release();
//
// A visit writes to nothing that another worker writes to. Visits do not nest. Thread-safe, but for
// the places: each is its worker's.

#ifndef QUERN_RUNTIME_SRC_GRAIN_VISITS_H_
#define QUERN_RUNTIME_SRC_GRAIN_VISITS_H_

#include <atomic>
#include <cstddef>
#include <vector>

#include "scheduler/worker.h"

namespace quern::internal {

class Activation;

class Visits {
 public:
  // So many workers, the spare ones with them.
  explicit Visits(size_t workers) : places_(workers) {}
  Visits(const Visits&) = delete;
  Visits& operator=(const Visits&) = delete;

  // Returns when every visit to `activation` that had begun has ended. Not from inside a visit.
  void AwaitNone(const Activation* activation) const;

 private:
  friend class Visit;

  struct alignas(64) Place {
    std::atomic<const Activation*> activation{nullptr};
  };

  std::vector<Place> places_;  // by the index of the worker
};

class Visit {
 public:
  // On the worker's thread.
  Visit(Visits& visits, const Worker& worker, const std::atomic<Activation*>& found)
      : place_(visits.places_[static_cast<size_t>(worker.index())]) {
    Activation* activation = found.load(std::memory_order_acquire);
    if (activation == nullptr) return;
    // Either we see that it was replaced, or whoever replaced it sees that we are here.
    place_.activation.store(activation, std::memory_order_seq_cst);
    if (found.load(std::memory_order_seq_cst) == activation) activation_ = activation;
  }
  ~Visit() { place_.activation.store(nullptr, std::memory_order_release); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  // False: nothing was found, or it was replaced this very moment.
  explicit operator bool() const { return activation_ != nullptr; }
  // Lives as long as the visit.
  Activation* get() const { return activation_; }
  Activation* operator->() const { return activation_; }

 private:
  Visits::Place& place_;
  Activation* activation_ = nullptr;
};

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_GRAIN_VISITS_H_
