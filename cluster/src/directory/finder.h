// The caller's role: asks the partition's owner where a grain is, again and again until somebody
// answers or the deadline passes.

#ifndef QUERN_CLUSTER_SRC_DIRECTORY_FINDER_H_
#define QUERN_CLUSTER_SRC_DIRECTORY_FINDER_H_

#include <unordered_map>
#include <vector>

#include "directory/core.h"

namespace quern::cluster::internal {

class GrainFinder {
 public:
  explicit GrainFinder(DirectoryCore& core) : core_(core) {}

  void Locate(const GrainId& id, const Epoch& stale, Time deadline, Directory::LocateDone done);
  // What asks a member that does not own the partition any more asks the new owner.
  void OnView();
  void Reset();

  size_t waiting() const { return waiting_; }

 private:
  struct Caller {
    Time deadline;
    Directory::LocateDone done;
    Executor::TimerId timer = 0;
  };
  struct Search {
    Epoch stale;
    std::vector<Caller> callers;
    remoting::ProcessId asking{};  // zero: nobody just now
    uint64_t attempt = 0;
    Duration backoff{};
    Status last = absl::UnavailableError("no owner known yet");
  };

  void Try(const GrainId& id);
  void OnReply(const GrainId& id, const StatusOr<v1::LocateReply>& reply);
  void RetryLater(const GrainId& id, Search& search);
  void Finish(const GrainId& id, const StatusOr<Location>& result);
  void Later(Directory::LocateDone done, StatusOr<Location> result);
  void Expire(const GrainId& id);

  DirectoryCore& core_;
  std::unordered_map<GrainId, Search, GrainIdHash> searches_;
  size_t waiting_ = 0;
};

}  // namespace quern::cluster::internal

#endif  // QUERN_CLUSTER_SRC_DIRECTORY_FINDER_H_
