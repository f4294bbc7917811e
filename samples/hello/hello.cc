// The smallest program: one actor, one message, one answer. README.md shows it letter by letter.

#include <quern/quern.h>

#include <iostream>
#include <string>

struct Greet {  // any movable struct is a message
  std::string name;
};
struct GreeterApi : quern::Protocol<std::string(Greet)> {};  // what is sent, what comes back

struct Greeter : quern::Actor<GreeterApi> {
  std::string On(const Greet& m) { return "Hello, " + m.name + "!"; }
};

int main() {
  quern::System system("hello");
  auto greeter = system.Spawn<Greeter>("greeter").value();   // quern::Ref<GreeterApi>
  std::cout << greeter.Ask(Greet{"world"}).value() << "\n";  // quern::StatusOr<std::string>
}
