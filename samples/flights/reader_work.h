// What a reader does, without the actor around it: takes its rows from the file, cuts batches, says
// which may be sent, and keeps count of what came back.
//
//   ReaderWork work(arguments);
//   work.Open();
//   while (work.wants_to_read()) work.ReadSome();
//   for (Parcel& parcel : work.TakeSendable()) ..send..
//   work.OnDelivered(delivered);
//
// Owner only. Open and ReadSome block on the file for about a millisecond.

#ifndef QUERN_SAMPLES_FLIGHTS_READER_WORK_H_
#define QUERN_SAMPLES_FLIGHTS_READER_WORK_H_

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flights.pb.h"
#include "flights/batcher.h"
#include "flights/flight_csv.h"
#include "flights/latency_histogram.h"

namespace flights {

struct Parcel {
  std::string airport;
  v1::Batch batch;
};

class ReaderWork {
 public:
  explicit ReaderWork(v1::ReaderArguments arguments);

  // As FlightCsv::Open; INVALID_ARGUMENT for arguments that make no sense. OK when it is open.
  quern::Status Open();

  // False at the end of the file and while too many batches wait for their answers.
  bool wants_to_read() const;

  // A failure ends the work and stands in progress().
  void ReadSome();

  // Batches to be sent now, in order. Those of one airport must be sent one after the other.
  std::vector<Parcel> TakeSendable();

  // Lifts the hold of hold_at_batches.
  void Release() { released_ = true; }

  void OnDelivered(const v1::Delivered& delivered);
  void OnSentAgain(const v1::SentAgain& again);

  v1::Progress progress() const;

 private:
  const v1::ReaderArguments arguments_;
  std::unique_ptr<FlightCsv> csv_;
  Batcher batcher_;
  std::deque<Parcel> waiting_;
  bool at_end_ = false;
  bool released_ = false;
  uint64_t cut_ = 0;
  uint64_t sent_ = 0;
  v1::Progress counted_;
  LatencyHistogram latency_;
  std::map<std::string, std::string> node_of_airport_;
  std::map<std::string, std::string> sent_again_;  // airports with an unanswered batch, and why
};

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_READER_WORK_H_
