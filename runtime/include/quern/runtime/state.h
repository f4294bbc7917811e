// What a grain keeps: one value, saved by compare-and-set under the activation's epoch, so that an
// owner that was superseded while it slept cannot write (ARCHITECTURE.md, D15).
//
//   struct Counter : quern::Grain<CounterApi> {
//     quern::State<Tally> tally{this};
//     quern::StatusOr<int64_t> On(const Add& m) {
//       if (m.sequence <= tally.mark(m.source)) return tally->total;  // a repeated message
//       tally->total += m.amount;
//       tally.set_mark(m.source, m.sequence);       // saved with the value or not at all
//       return tally.SaveThen(tally->total);        // answered once it is saved
//     }
//   };
//
// The record is claimed and read before OnActivate; a claim that fails fails the activation. The
// value is the newest in existence until a Save, and a Save or Clear that fails, whatever the code,
// ends the activation after the handler, for memory is then ahead of the store: nothing is retried,
// no further handler runs here, and the handler's reply becomes that failure. ABORTED (stale_epoch)
// means another owner; UNAVAILABLE (storage_unavailable) surely not saved; DEADLINE_EXCEEDED
// unknown.
//
// A record of another schema: one that an older program wrote is decoded, or, when State got a
// migration, migrated; in both cases before OnActivate, and written in the new form by the next
// Save. One that a newer program wrote fails the activation and is never overwritten.
//
//   quern::Status FromCents(uint32_t from, std::string_view bytes, Price* out);
//   quern::State<Price> price{this, 2, &FromCents};     // called for records of version 1
//
// In a reentrant kind writes come one after the other, each with the value of its time; a handler
// that had waited for an answer may go on while another one saves, and sees the value that is being
// saved. When that fails, what the handlers that wait were asked is answered with the failure, too.
//
// A grain has one State. Owner only: from the grain's own handlers. In a grain that was constructed
// outside a System, as a unit test does, Save and Clear succeed and keep nothing.

#ifndef QUERN_RUNTIME_STATE_H_
#define QUERN_RUNTIME_STATE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "quern/runtime/codec.h"
#include "quern/runtime/fiber_sync.h"
#include "quern/runtime/state_store.h"
#include "quern/runtime/status.h"

namespace quern {

class GrainBase;

namespace internal {

class Activation;

// All of State<T> but the value.
class StateBase {
 public:
  StateBase(const StateBase&) = delete;
  StateBase& operator=(const StateBase&) = delete;

  // True when the store holds a value of this grain: it was saved and not cleared since.
  bool exists() const { return exists_; }

  // Schema version that the stored value was written with; 0 when nothing is stored. OnActivate may
  // look at it to bring an older value up to date. A newer one than `schema_version` fails the
  // activation with FAILED_PRECONDITION; a migration that fails or throws, with what it returned.
  uint32_t stored_schema_version() const { return stored_schema_version_; }

  // The last sequence applied of that source; 0 for none.
  uint64_t mark(std::string_view source) const;
  void set_mark(std::string_view source, uint64_t sequence);

  // Writes value and marks in one compare-and-set. Suspends.
  Status Save();

  // Leaves a tombstone; the value becomes T{} and the marks are gone. Suspends.
  Status Clear();

 protected:
  StateBase(GrainBase* grain, uint32_t schema_version);
  virtual ~StateBase() = default;

  uint32_t schema_version() const { return schema_version_; }

  virtual void EncodeValue(std::string* out) const = 0;
  // `from`: the schema version of the bytes, at most one's own.
  virtual Status DecodeValue(uint32_t from, std::string_view bytes) = 0;
  virtual void ResetValue() = 0;

 private:
  friend class Activation;

  // Takes over what the store holds, before OnActivate.
  Status Load(Activation* activation, ClaimedState claimed);

  enum class Operation : uint8_t { kSave, kClear };

  // One write at a time; a second waits for its turn. Suspends.
  Status Write(Operation operation);
  StatusOr<StateClaim> Store(Operation operation);
  // What is known once it is written.
  void Settle(Operation operation);

  const uint32_t schema_version_;
  const bool in_system_;
  Activation* activation_ = nullptr;  // null until the claim has been won
  FiberMutex writing_;
  StateClaim claim_;
  bool exists_ = false;
  uint32_t stored_schema_version_ = 0;
  std::map<std::string, uint64_t, std::less<>> marks_;
};

}  // namespace internal

template <typename T>
class State : public internal::StateBase {
  static_assert(HasCodec<T>, "State<T>: T needs a quern::Codec<T>");

 public:
  // Makes a value out of a record of the lower schema version `from`. Runs on the grain's turn,
  // before OnActivate; `*out` is T{}. What is not OK fails the activation; the record stays.
  using Migration = Status (*)(uint32_t from, std::string_view bytes, T* out);

  // `grain` is the grain that this is a member of. `schema_version` rises when T's encoding changes
  // its meaning. `migrate` null: older records are decoded like new ones.
  explicit State(GrainBase* grain, uint32_t schema_version = 1, Migration migrate = nullptr)
      : StateBase(grain, schema_version), migrate_(migrate) {}

  T& operator*() { return value_; }
  const T& operator*() const { return value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

  // `reply` once the value is saved, else why it was not. Suspends.
  template <typename R>
  StatusOr<R> SaveThen(R reply) {
    if (Status saved = Save(); !saved.ok()) return saved;
    return reply;
  }

 private:
  void EncodeValue(std::string* out) const override { Codec<T>::Encode(value_, out); }
  Status DecodeValue(uint32_t from, std::string_view bytes) override {
    if (migrate_ != nullptr && from < schema_version()) return migrate_(from, bytes, &value_);
    return Codec<T>::Decode(bytes, &value_);
  }
  void ResetValue() override { value_ = T{}; }

  const Migration migrate_;
  T value_{};
};

}  // namespace quern

#endif  // QUERN_RUNTIME_STATE_H_
