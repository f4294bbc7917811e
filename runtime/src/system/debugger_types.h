// The types that runtime/gdb/quern_gdb.py looks at. A release build carries no debug information;
// the source of this header always does, so that a debugger knows what actors and fibers are made
// of in every program.

#ifndef QUERN_RUNTIME_SRC_SYSTEM_DEBUGGER_TYPES_H_
#define QUERN_RUNTIME_SRC_SYSTEM_DEBUGGER_TYPES_H_

namespace quern::internal {

struct DebuggerTypes;

// Does nothing. Who calls it has the types linked.
void LinkDebuggerTypes(const DebuggerTypes* types);

}  // namespace quern::internal

#endif  // QUERN_RUNTIME_SRC_SYSTEM_DEBUGGER_TYPES_H_
