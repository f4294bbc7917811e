// Quern's whole workloads. `quern_workloads --list` names them; see quern/bench/workload.h.

#include "workloads.h"

int main(int argc, char** argv) {
  using namespace quern::bench;  // NOLINT: a list of names
  return RunProgram(argc, argv, "quern",
                    {
                        {"ping-pong", 10'000'000, &PingPong},
                        {"ping-pong-1000", 20'000, &PingPong1000},
                        {"ping-pong-apart", 1'000'000, &PingPongApart},
                        {"fan-in-1", 4'000'000, &FanIn1},
                        {"fan-in-8", 4'000'000, &FanIn8},
                        {"thread-ring", 10'000'000, &ThreadRing},
                        {"big", 20'000, &Big},
                        {"create", 1'000'000, &Create},
                        {"skynet", 1'000'000, &Skynet},
                        {"spawn", 1'000'000, &Spawn},
                        {"idle-actors", 1'000'000, &IdleActors, /*warm_up=*/false},
                        {"ask", 2'000'000, &Ask},
                        {"ask-thread", 200'000, &AskThread},
                        {"actor-tell-1", 4'000'000, &ActorTell1},
                        {"actor-tell-256", 4'000'000, &ActorTell256},
                        {"grain-tell-1", 4'000'000, &GrainTell1},
                        {"grain-tell-256", 4'000'000, &GrainTell256},
                        {"grain-ask", 2'000'000, &GrainAsk},
                        {"timer-arm-cancel", 5'000'000, &TimerArmCancel},
                        {"timer-memory", 1'000'000, &TimerMemory, /*warm_up=*/false},
                    });
}
