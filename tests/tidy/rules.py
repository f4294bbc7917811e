"""What the tree must look like: layers, fences, banned tokens, limits, and the few exceptions.

Everything that a person may want to change is a table here; tidy.py only applies them. README.md gives the reasons.
"""

from dataclasses import dataclass

# Arrows run one way: a module includes itself and those before it.
MODULES = ("runtime", "remoting", "cluster", "datacenter")

# Generated code: who may include quern/<name>/v1/*.pb.h.
PROTO_USERS = {
    "wire": ("remoting", "cluster", "datacenter"),
    "cluster": ("cluster", "datacenter"),
    "datacenter": ("datacenter",),
    "admin": ("remoting", "cluster", "datacenter"),
}


@dataclass(frozen=True)
class Fence:
    """Third-party headers that stay behind one door."""

    name: str
    include: str  # regular expression over the included path
    allowed: tuple  # path prefixes


FENCES = (
    Fence("Boost.Fiber and Boost.Context", r"^boost/(fiber|context)/", ("runtime/src/",)),
    Fence("Asio and Beast", r"^boost/(asio|beast)\b",
          ("remoting/src/asio/", "remoting/src/http/", "remoting/include/quern/remoting/asio_bridge.h",
           "tests/remoting/asio_bridge_test.cc")),
    Fence("zstd", r"^zstd(_errors)?\.h$", ("remoting/src/frame/", "samples/")),
    Fence("NATS", r"^nats/|^nats\.h$", ("cluster/providers/nats/",)),
)

# Types that no public header shows.
PUBLIC_FENCE = r"^boost/(fiber|context|asio|beast)\b|^zstd|^nats/|^nats\.h$|^openssl/|^google/protobuf/|\.pb\.h$"


@dataclass(frozen=True)
class Ban:
    """A token that has a better word in this code base."""

    name: str
    token: str  # regular expression over the code without comments and literals
    instead: str
    zones: tuple  # of: modules, samples, tests, bench, public (headers under include/), headers


CODE = ("modules", "samples", "tests", "bench")

BANS = (
    Ban("sleep", r"\bthis_thread::sleep_|(?<![\w.>])(?:::)?(?:u|nano)?sleep\s*\(|\babsl::SleepFor\b",
        "wait for an event, or use the clock's timers; tests advance a VirtualTime", CODE),
    Ban("clock", r"\b(?:steady|system|high_resolution)_clock::now\b|\bclock_gettime\b|\bgettimeofday\b|\babsl::Now\b|"
        r"(?<![\w.>])(?:std::|::)time\s*\(", "the Clock that was given to the constructor", ("modules", "samples", "tests")),
    Ban("thread", r"\bstd::j?thread\b(?!::)|\bpthread_create\b|\bstd::async\b",
        "a FiberGroup, the offload pool, or the Executor that was given", ("modules", "samples")),
    Ban("random", r"\brandom_device\b|\bgetrandom\b|\bgetentropy\b|(?<![\w.>])s?rand\s*\(|\babsl::\w*BitGen\b",
        "the Random that was given to the constructor", CODE),
    Ban("socket", r"(?<![\w.>])(?:::)?socket\s*\(", "the Transport that was given", ("modules", "samples")),
    Ban("mutex", r"\bstd::(?:recursive_|shared_|timed_)*mutex\b|\bstd::condition_variable",
        "FiberMutex in fibers, absl::Mutex for a few lines outside", ("modules", "samples")),
    Ban("hash", r"\babsl::Hash(?:Of)?\b|\bstd::hash\b", "GrainId's XXH3: the others are seeded a process or unspecified",
        ("placement",)),
    Ban("environment", r"\b(?:secure_)?getenv\b|\bsetenv\b|\bputenv\b", "an option that arrives by constructor",
        ("modules", "samples")),
    Ban("print", r"\bstd::(?:cout|cerr|clog)\b|(?<![\w.>])(?:std::|::)?v?f?printf\s*\(|(?<![\w.>])(?:std::)?f?puts\s*\(",
        "the Logger that was given: a library does not own the terminal", ("modules",)),
    Ban("throw", r"\bthrow\s+[^;\s]", "quern::Status (a bare throw passes a dropped fiber's unwinding on)", ("modules",)),
    Ban("detach", r"(?:\.|->)detach\s*\(", "an owner that joins", CODE),
    Ban("thread_local", r"\bthread_local\b", "the worker pointer; actors move between threads", ("modules", "samples")),
    Ban("assert", r"(?<![\w])assert\s*\(", "QUERN_CHECK, which is on in release", ("modules", "samples")),
    Ban("string_view", r"\babsl::string_view\b", "std::string_view: Debian's absl::string_view is a class of its own",
        ("public",)),
    Ban("using namespace", r"^\s*using\s+namespace\b", "qualified names", ("headers",)),
)

# In comments and build files alike: a plan belongs to the tracker, a decision to ARCHITECTURE.md.
PLACEHOLDER = r"\b(?:TODO|FIXME|XXX)\b"

# Paths of somebody's machine.
MACHINE_PATH = r"(?<![\w.])/(?:work|root|home)/\w"

# Pages whose table rows end with the tests that show them, or with one of these words.
PAGES_WITH_PROOF = {
    "docs/features.md": ("no test yet",),
    "docs/failures.md": ("no test yet",),
    "docs/goakt.md": ("Not wanted:", "Planned"),
}

LINES_WARN = 500
LINES_MAX = 800
FUNCTION_LINES_MAX = 70
BANNER_LINES_MIN = 1


@dataclass(frozen=True)
class Exception_:
    rule: str
    path: str  # exact path, or a folder that ends in /
    reason: str


# One line each, with the reason. An exception that no longer excuses anything is itself a finding.
EXCEPTIONS = (
    Exception_("public", "remoting/include/quern/remoting/asio_bridge.h", "its users bring their own Asio objects"),
    Exception_("clock", "runtime/src/base/clock.cc", "the production Clock"),
    Exception_("random", "runtime/src/base/random.cc", "the production Random"),
    Exception_("thread", "runtime/src/scheduler/", "the workers"),
    Exception_("thread_local", "runtime/src/scheduler/", "the worker pointer"),
    Exception_("thread_local", "runtime/src/mailbox/thread_blocks.cc", "blocks of threads that are no workers: any will do"),
    Exception_("detach", "runtime/src/scheduler/worker.cc", "runner fibers; Run() counts and joins them"),
    Exception_("clock", "runtime/src/scheduler/worker.cc", "limits that Boost's own primitives set"),
    Exception_("throw", "runtime/src/mailbox/magazine.cc", "out of memory, as operator new says it"),
    Exception_("thread", "cluster/providers/nats/", "blocking calls of the client, the server's supervisor"),
    Exception_("socket", "cluster/providers/nats/src/free_port.cc", "whether a port can be bound"),
    Exception_("environment", "cluster/providers/nats/src/nats_server.cc", "where nats-server is"),
    Exception_("thread", "remoting/src/asio/", "the I/O thread"),
    Exception_("clock", "remoting/src/asio/", "Asio's timers run on the steady clock"),
    Exception_("socket", "remoting/src/asio/socket.cc", "close-on-exec and exclusive bind need the call itself"),
    Exception_("random", "tests/remoting/asio_test.cc", "a forked process has a copy of SystemRandom's state"),
    Exception_("clock", "tests/cluster/thread_executor.h", "timers of tests that run against real processes"),
)
