// A visit counter for every page of a site. Nobody creates a page's counter: it is called by name,
// wakes up with what it kept, and goes when nobody needs it.

#include <quern/quern.h>

#include <iostream>
#include <string>

// ---- What callers see: the messages, what they answer, and the kind

struct Visit {
  int64_t people = 0;
};
struct Visits {};

struct PageApi : quern::Protocol<int64_t(Visit), int64_t(Visits)> {
  static constexpr std::string_view kKind = "page";
};

// A grain may live on another node, so its messages have a form for the wire.
template <>
struct quern::Codec<Visit> {
  static constexpr std::string_view kName = "sample.Visit";
  static void Encode(const Visit& m, std::string* out) { Codec<int64_t>::Encode(m.people, out); }
  static Status Decode(std::string_view bytes, Visit* m) {
    return Codec<int64_t>::Decode(bytes, &m->people);
  }
};
template <>
struct quern::Codec<Visits> {
  static constexpr std::string_view kName = "sample.Visits";
  static void Encode(const Visits&, std::string*) {}
  static Status Decode(std::string_view, Visits*) { return absl::OkStatus(); }
};

// ---- The grain

struct Page : quern::Grain<PageApi> {
  explicit Page(std::string greeting) : greeting_(std::move(greeting)) {}

  quern::Status OnActivate() override {
    std::cout << greeting_ << " " << key() << ", " << *visits_ << " visits so far\n";
    return absl::OkStatus();
  }

  quern::StatusOr<int64_t> On(const Visit& m) {
    if (m.people <= 0) return absl::InvalidArgumentError("a visit has people");
    return visits_.SaveThen(*visits_ += m.people);  // answered once it is saved
  }
  int64_t On(const Visits&) { return *visits_; }

 private:
  const std::string greeting_;
  quern::State<int64_t> visits_{this};
};

void Print(const quern::Ref<PageApi>& page, const quern::StatusOr<int64_t>& visits) {
  std::cout << page.path() << ": ";
  if (visits.ok()) {
    std::cout << *visits << " visits\n";
  } else {
    std::cout << visits.status() << "\n";
  }
}

int main() {
  quern::System system("site");
  quern::Status hosted = system.Host<Page>({.idle_timeout = std::chrono::minutes(5)},
                                           std::string("awake:"));  // for each Page's constructor
  if (!hosted.ok()) {
    std::cerr << hosted << "\n";
    return 1;
  }

  const auto home = system.Grain<PageApi>("home");  // costs nothing yet
  Print(home, home.Ask(Visit{2}));
  Print(home, home.Ask(Visit{3}));
  const auto other = system.Grain<PageApi>("a/b");
  Print(other, other.Ask(Visit{1}));
  Print(home, home.Ask(Visit{-1}));

  for (const quern::GrainInfo& grain : system.ListGrains().grains) {
    std::cout << "here: " << grain.id << "\n";
  }

  // It would go by itself after five idle minutes. What it kept is there when it comes back.
  if (quern::Status gone = system.Deactivate(home); !gone.ok()) std::cerr << gone << "\n";
  Print(home, home.Ask(Visits{}));
  return 0;
}
