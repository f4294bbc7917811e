// Routers: several actors behind one Ref, by turns, by key, or all at once.

#include <quern/quern.h>

#include <iostream>
#include <map>
#include <string>
#include <utility>

struct Resize {
  std::string image;
};
struct Visit {
  std::string user;
};
struct Price {
  std::string item;
};
struct Clear {};

struct WorkerApi : quern::Protocol<std::string(Resize)> {};
struct Worker : quern::Actor<WorkerApi> {
  std::string On(const Resize& m) { return m.image + " by " + Self().path(); }
};

struct SessionApi : quern::Protocol<int(Visit), void(Clear)> {};
struct Session : quern::Actor<SessionApi> {
  int On(const Visit& m) { return ++visits_[m.user]; }  // nobody else has this user
  void On(const Clear&) { visits_.clear(); }
  std::map<std::string, int> visits_;
};

struct ShopApi : quern::Protocol<std::string(Price)> {};
struct Shop : quern::Actor<ShopApi> {
  explicit Shop(std::map<std::string, std::string> prices) : prices_(std::move(prices)) {}
  quern::StatusOr<std::string> On(const Price& m) {
    auto found = prices_.find(m.item);
    if (found == prices_.end()) return absl::NotFoundError("we do not sell " + m.item);
    return found->second;
  }
  std::map<std::string, std::string> prices_;
};

int main() {
  quern::System system("pools");

  // By turns: a RouterRef is a Ref, asks are answered by whoever got them.
  auto workers = system.SpawnRouter<Worker>("workers", {.size = 2}).value();
  for (const char* image : {"cat", "dog", "owl"}) {
    std::cout << workers.Ask(Resize{image}).value() << "\n";
  }
  workers.Resize(+1).IgnoreError();
  std::cout << workers.Routees().size() << " workers\n";

  // By key: the same user always meets the same session actor.
  quern::RouterOptions by_user{.strategy = quern::Routing::kConsistentHash, .size = 4};
  by_user.key = quern::RouteBy<SessionApi>([](const Visit& m) { return m.user; });
  auto sessions = system.SpawnRouter<Session>("sessions", by_user).value();
  for (int i = 0; i < 2; ++i) {
    for (const char* user : {"ada", "bob", "cy"}) sessions.Ask(Visit{user}).IgnoreError();
  }
  std::cout << "ada's visit number " << sessions.Ask(Visit{"ada"}).value() << "\n";
  sessions.Broadcast(Clear{});
  std::cout << "ada's visit number " << sessions.Ask(Visit{"ada"}).value() << "\n";

  // All at once: the first who knows answers.
  using Prices = std::map<std::string, std::string>;
  auto bakery = system.Spawn<Shop>("bakery", Prices{{"bread", "2.50"}}).value();
  auto dairy = system.Spawn<Shop>("dairy", Prices{{"milk", "1.20"}}).value();
  auto shops = system
                   .RouteOver<ShopApi>("shops", {.strategy = quern::Routing::kScatterGatherFirst},
                                       {bakery, dairy})
                   .value();
  std::cout << "milk costs " << shops.Ask(Price{"milk"}).value() << "\n";
  std::cout << "bread costs " << shops.Ask(Price{"bread"}).value() << "\n";
  std::cout << "nails: " << shops.Ask(Price{"nails"}).status() << "\n";
}
