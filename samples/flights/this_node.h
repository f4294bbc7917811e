// The name of the node that this process is, "us-west/node-1": said once at its start, told in
// answers so that the launcher can see where a grain lives.

#ifndef QUERN_SAMPLES_FLIGHTS_THIS_NODE_H_
#define QUERN_SAMPLES_FLIGHTS_THIS_NODE_H_

#include <string>

namespace flights {

// Before anything runs; not thread-safe.
void SetThisNode(std::string name);

// "" when nothing was said. Thread-safe.
const std::string& ThisNode();

}  // namespace flights

#endif  // QUERN_SAMPLES_FLIGHTS_THIS_NODE_H_
