// Between the structs of network.h and the messages of wire.proto. Pure functions.
//
//   ToWire(&message, now, &wire);               // takes the strings out of `message`
//   Status s = FromWire(&wire, now, &message);  // takes the strings out of `wire`
//
// What comes from a peer is checked here: names, counts, codes. INVALID_ARGUMENT or DATA_LOSS says
// what was wrong.

#ifndef QUERN_REMOTING_SRC_CONNECTION_WIRE_CONVERT_H_
#define QUERN_REMOTING_SRC_CONNECTION_WIRE_CONVERT_H_

#include <string_view>

#include "quern/remoting/network.h"
#include "quern/wire/v1/wire.pb.h"

namespace quern::remoting {

// INVALID_ARGUMENT when a peer would refuse this message: its target, its type's name, its call
// chain or its size.
Status CheckUserMessage(const UserMessage& message);
Status CheckSystemBody(const SystemBody& body);

// 1 to `bytes_max` bytes of UTF-8 without control characters.
bool IsName(std::string_view name, size_t bytes_max);

// Microseconds from `now` until `deadline`, at least 1; 0 for kNever.
uint64_t RemainingMicros(Time deadline, Time now);

// kNever for 0; clamped to limits::kDeadlineMax.
Time DeadlineFromMicros(uint64_t micros, Time now);

void ToWire(UserMessage* message, Time now, wire::v1::UserMessage* out);
void ToWire(UserReply* reply, wire::v1::Reply* out);
void ToWire(const Status& status, wire::v1::WireStatus* out);

Status FromWire(wire::v1::UserMessage* wire, Time now, UserMessage* out);
Status FromWire(wire::v1::Reply* wire, UserReply* out);

// Never OK: a code out of range becomes UNKNOWN.
Status StatusFromWire(const wire::v1::WireStatus& wire);

}  // namespace quern::remoting

#endif  // QUERN_REMOTING_SRC_CONNECTION_WIRE_CONVERT_H_
