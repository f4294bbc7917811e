// Changes of the view record: read, edit, compare-and-set, again until it is done. One change at a
// time; the others wait in line.

#ifndef QUERN_CLUSTER_SRC_MEMBERSHIP_VIEW_WRITER_H_
#define QUERN_CLUSTER_SRC_MEMBERSHIP_VIEW_WRITER_H_

#include <deque>
#include <functional>
#include <vector>

#include "membership/context.h"
#include "quern/cluster/v1/cluster.pb.h"

namespace quern::cluster::internal {

class ViewWriter {
 public:
  // Edits the known fields of `record`. True: write it. False: it is as wanted already. An error
  // ends the change. `written_before`: an earlier try of this very change, whose outcome was
  // unknown, had been applied.
  using Edit = std::function<StatusOr<bool>(v1::View* record, bool written_before)>;
  using Done = std::function<void(Status)>;
  // A view that the store has shown or that was written here. False: it does not descend from ours,
  // nothing may be written upon it.
  using Learn = std::function<bool(const v1::View& record, bool written_here)>;

  ViewWriter(MembershipContext& context, Learn learn)
      : context_(context), key_(context.keys.Key("view", "main")), learn_(std::move(learn)) {}

  // UNAVAILABLE: not done within `timeout`; it may still be applied. FAILED_PRECONDITION: the view
  // in the store is not a descendant of ours.
  void Change(Duration timeout, Edit edit, Done done);

  // Ends all changes with `why`.
  void Reset(const Status& why);

  const std::string& key() const { return key_; }

 private:
  struct Pending {
    Edit edit;
    Done done;
    Time deadline;
    std::vector<uint64_t> unsettled;  // nonces of writes with unknown outcome
    int attempts = 0;
  };

  void Read();
  void OnRead(const StatusOr<Record>& read);
  bool WrittenBefore(const v1::View& record) const;
  void Write(v1::View record, uint64_t revision);
  void OnWritten(const v1::View& record, const CasResult& result);
  void Again(const Status& why);
  void Finish(const Status& status);

  MembershipContext& context_;
  const std::string key_;
  const Learn learn_;
  std::deque<Pending> queue_;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_MEMBERSHIP_VIEW_WRITER_H_
