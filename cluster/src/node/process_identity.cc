#include "node/process_identity.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

#include <signal.h>
#include <unistd.h>

namespace quern::cluster {
namespace {

struct ProcStat {
  char state = '?';
  uint64_t threads = 0;
  uint64_t start_time = 0;
};

// The command name, field 2, may hold spaces and brackets: fields are counted from the last ')'.
// See proc(5).
ProcStat ReadProcStat(uint64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return {};
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  ProcStat stat;
  fields >> stat.state;
  std::string skipped;
  for (int field = 4; field < 20; ++field) fields >> skipped;
  fields >> stat.threads >> skipped >> stat.start_time;
  return fields ? stat : ProcStat{};
}

// The state is the main thread's alone, which may end before the others do: only a zombie that is
// its own last thread runs no code any more.
bool HasExited(const ProcStat& stat) {
  return (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
}

std::string PidNamespace() {
  std::array<char, 64> name{};
  const ssize_t length = readlink("/proc/self/ns/pid", name.data(), name.size() - 1);
  return length > 0 ? std::string(name.data(), static_cast<size_t>(length)) : std::string();
}

}  // namespace

ProcessIdentity OwnProcessIdentity() {
  ProcessIdentity own;
  own.pid = static_cast<uint64_t>(getpid());
  own.start_time = ReadProcStat(own.pid).start_time;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  const std::string name_space = PidNamespace();
  if (std::getline(file, boot) && !name_space.empty()) own.boot_id = boot + "/" + name_space;
  return own;
}

bool ProcessIsGone(const Member& member, const ProcessIdentity& own) {
  if (own.boot_id.empty() || member.boot_id != own.boot_id) return false;
  if (member.pid == 0 || member.pid_start_time == 0) return false;
  if (kill(static_cast<pid_t>(member.pid), 0) != 0) return errno == ESRCH;
  const ProcStat stat = ReadProcStat(member.pid);
  if (stat.start_time == 0) return false;
  return stat.start_time != member.pid_start_time || HasExited(stat);
}

}  // namespace quern::cluster
