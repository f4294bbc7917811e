// The demo: two datacenters on one machine, real flights, one node killed on the way, every number
// still exact. `flights demo --help` says the rest.

#include <algorithm>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

#include "flights/demo.h"
#include "flights/interrupt.h"
#include "flights/node_main.h"
#include "flights/options.h"

int main(int argc, char** argv) {
  const flights::Command command = flights::ParseCommandLine(
      std::vector<std::string>(argv + std::min(argc, 1), argv + argc), FLIGHTS_DATA_DIR);
  if (const auto* stop = std::get_if<flights::StopHere>(&command)) {
    (stop->code == flights::kExitOk ? std::cout : std::cerr) << stop->text;
    return stop->code;
  }
  if (const auto* node = std::get_if<flights::NodeProcessOptions>(&command)) {
    return flights::RunNode(*node);
  }
  flights::InstallInterrupt();
  return flights::RunDemo(std::get<flights::DemoOptions>(command));
}
