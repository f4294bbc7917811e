"""The systems that run side by side: how each is found, built and started.

Programs of peers are built outside of the tree, below build/peers, from our sources in bench/peers and what the machine
has of the peer itself. A peer that is not at hand raises Missing with the reason, and keeps its row.
"""

import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
from dataclasses import dataclass, field

import catalog

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
BUILD_SECONDS = 20 * 60


class Missing(Exception):
    """Why a system cannot be run here, in a sentence for the report."""


@dataclass
class System:
    name: str
    title: str
    command: list = field(default_factory=list)  # the workload's name and options follow
    version: str = ""
    missing: str = ""
    sizes: dict = field(default_factory=dict)    # by workload: "usual size" of its program, or smaller
    environment: dict = field(default_factory=dict)

    def command_for(self, workload, divide=1):
        size = max(1, self.sizes[workload] // divide)
        return [*self.command, workload, "--workers", str(catalog.WORKERS), "--size", str(size)]


def run_tool(command, cwd=None, environment=None):
    """Standard output of a tool; Missing with its last words when it fails."""
    name = pathlib.Path(command[0]).name
    try:
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, start_new_session=True,
                                 env={**os.environ, **(environment or {})})
    except OSError as error:
        raise Missing(f"{name}: {error.strerror}") from error
    try:
        output, errors = child.communicate(timeout=BUILD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{name} has not ended within {BUILD_SECONDS} s") from error
    finally:
        if child.poll() is None:  # out of time, or we are being ended
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode != 0:
        wrong = [line for line in (errors + output).splitlines() if "error" in line.lower()]
        last = wrong or errors.strip().splitlines() or ["no output"]
        raise Missing(f"{name} failed: {last[0].strip()[:160]}")
    return output


def tool(name, why):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"no {name}: {why}")
    return path


def folder_of(variable, contains, why):
    """The folder that an environment variable names, when it contains a path."""
    value = os.environ.get(variable)
    if not value:
        raise Missing(f"{variable} is not set: {why}")
    folder = pathlib.Path(value).expanduser().resolve()
    if not (folder / contains).exists():
        raise Missing(f"{variable} names no {why}: it has no {contains}")
    return folder


class Workshop:
    """Where peers are built: copies of our sources, remembered by what they were built from."""

    def __init__(self, folder):
        self.folder = folder

    def copy(self, *names):
        """Sources of bench/peers/NAME, in the workshop; what was built there stays."""
        for name in names:
            shutil.copytree(PEERS / name, self.folder / name, dirs_exist_ok=True)
        return self.folder / names[0]

    def once(self, name, inputs, build):
        """Calls `build` unless it succeeded before with the same inputs (strings and paths)."""
        digest = hashlib.sha256()
        for item in inputs:
            digest.update(item.read_bytes() if isinstance(item, pathlib.Path) else str(item).encode())
        stamp = self.folder / f"{name}.built"
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        stamp.unlink(missing_ok=True)
        build()
        stamp.write_text(digest.hexdigest())


def sources_of(*names):
    """Every file of bench/peers/NAME."""
    return [path for name in names for path in sorted((PEERS / name).rglob("*")) if path.is_file()]


def read_sizes(system):
    """Asks a program which workloads it has, with their usual sizes."""
    listing = run_tool([*system.command, "--list"], environment=system.environment)
    system.sizes = {name: int(size) for name, size in (line.split() for line in listing.splitlines() if line.strip())}


def git_version(folder):
    return run_tool(["git", "-C", str(folder), "log", "-1", "--format=%h of %cs"]).strip()


# --- C++ -------------------------------------------------------------------------------------------------------------


def compile_cc(workshop, name, sources, flags, inputs=()):
    """Our harness and one peer's program."""
    harness = ROOT / "bench" / "harness"
    program = workshop.folder / f"{name}_workloads"
    all_sources = [*sources, *sorted((harness / "src").glob("*.cc"))]
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, "-std=c++20", "-O3", "-DNDEBUG", f"-I{harness / 'include'}", *map(str, all_sources),
               "-o", str(program), *flags, "-pthread"]
    tool(compiler, "a C++20 compiler")
    headers = sorted((harness / "include").rglob("*.h"))
    workshop.once(name, [*all_sources, *headers, *sources_of(name), *inputs, " ".join(command)],
                  lambda: run_tool(command))
    return [str(program)]


def caf(workshop):
    sources = [PEERS / "caf" / "caf_workloads.cc"]
    if not os.environ.get("CAF_DIR"):
        if not pathlib.Path("/usr/include/caf/all.hpp").exists():
            raise Missing("CAF_DIR is not set, and Debian's libcaf-dev is not installed")
        version = run_tool(["dpkg-query", "-W", "-f", "${Version}", "libcaf-dev"])
        return compile_cc(workshop, "caf", sources, ["-lcaf_core"], [version]), f"Debian {version}"
    folder = pathlib.Path(os.environ["CAF_DIR"]).expanduser().resolve()
    if (folder / "CMakeCache.txt").exists():  # a build tree
        source = pathlib.Path(next(line for line in (folder / "CMakeCache.txt").read_text().splitlines()
                                   if line.startswith("CMAKE_HOME_DIRECTORY")).split("=", 1)[1])
        includes = [source / "libcaf_core", folder / "libcaf_core"]
        libraries = folder / "libcaf_core"
    else:  # an installation
        includes, libraries = [folder / "include"], folder / "lib"
    if not list(libraries.glob("libcaf_core.*")):
        raise Missing("CAF_DIR names neither an installation nor a build of CAF: it has no libcaf_core")
    flags = [*(f"-I{path}" for path in includes), f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lcaf_core"]
    library = sorted(libraries.glob("libcaf_core.*"))[0]
    version = next((path.name.removeprefix("libcaf_core.so.") for path in libraries.glob("libcaf_core.so.*.*")), "")
    return compile_cc(workshop, "caf", sources, flags, [library]), version


def sobjectizer(workshop):
    checkout = folder_of("SOBJECTIZER_DIR", "dev/so_5/version.hpp", "checkout of SObjectizer")
    cmake = tool("cmake", "SObjectizer's library is built by it")
    folder = workshop.folder / "sobjectizer"
    commit = git_version(checkout)

    def build():
        run_tool([cmake, "-S", str(checkout / "dev"), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                  "-DSOBJECTIZER_BUILD_SHARED=OFF"])
        run_tool([cmake, "--build", str(folder), "-j2"])

    workshop.once("sobjectizer_library", [commit], build)
    library = next(folder.rglob("libso_s.*.a"))
    version = library.name.removeprefix("libso_s.").removesuffix(".a")
    sources = [PEERS / "sobjectizer" / "sobjectizer_workloads.cc"]
    return compile_cc(workshop, "sobjectizer", sources, [f"-I{checkout / 'dev'}", str(library)], [commit]), version


# --- Go --------------------------------------------------------------------------------------------------------------


def build_go(workshop, name, replace=()):
    """`replace`: (module, folder) pairs."""
    go = tool("go", "the peers in Go need it")
    folder = workshop.copy(name, "go_harness")
    program = folder / f"{name.replace('-', '_')}_workloads"
    edits = [f"-replace={module}={path}" for module, path in replace]

    def build():
        if edits:
            run_tool([go, "mod", "edit", *edits], cwd=folder)
        run_tool([go, "build", "-mod=mod", "-o", str(program), "."], cwd=folder)

    version = run_tool([go, "env", "GOVERSION"]).strip()
    workshop.once(name, [*sources_of(name, "go_harness"), version, *edits], build)
    return [str(program)], version


def goakt(workshop):
    folder = folder_of("GOAKT_DIR", "go.mod", "checkout of goakt")
    commit = git_version(folder)
    command, go = build_go(workshop, "goakt", [("github.com/tochemey/goakt/v4", folder)])
    return command, f"{commit}, {go}"


def proto_actor(workshop):
    command, go = build_go(workshop, "proto-actor")
    text = (PEERS / "proto-actor" / "go.mod").read_text()
    version = next(line.split()[1] for line in text.splitlines() if "protoactor-go v" in line)
    return command, f"{version}, {go}"


def ergo(workshop):
    folder = folder_of("ERGO_DIR", "ergo.go", "checkout of ergo")
    commit = git_version(folder)
    command, go = build_go(workshop, "ergo", [("ergo.services/ergo", folder)])
    return command, f"{commit}, {go}"


# --- Rust ------------------------------------------------------------------------------------------------------------


def build_rust(workshop, name, *shared):
    cargo = tool("cargo", "the peers in Rust need it")
    folder = workshop.copy(name, "rust_harness", *shared)
    target = workshop.folder / "rust"
    version = run_tool([cargo, "--version"]).split()[1]
    workshop.once(name, [*sources_of(name, "rust_harness", *shared), version], lambda: run_tool(
        [cargo, "build", "--release", "--target-dir", str(target)], cwd=folder))
    text = (folder / "Cargo.toml").read_text()
    pinned = next(line.split('"=')[1].split('"')[0] for line in text.splitlines() if line.startswith(f"{name} = "))
    return [str(target / "release" / f"{name}_workloads")], f"{pinned}, Rust {version}"


def actix(workshop):
    return build_rust(workshop, "actix")


def kameo(workshop):
    return build_rust(workshop, "kameo", "rust_tasks")


def ractor(workshop):
    return build_rust(workshop, "ractor", "rust_tasks")


# --- Erlang ----------------------------------------------------------------------------------------------------------


def erlang(workshop):
    erl, erlc = tool("erl", "Debian's erlang-base has it"), tool("erlc", "Debian's erlang-base has it")
    folder = workshop.copy("erlang")
    source = folder / "erlang_workloads.erl"
    workshop.once("erlang", [source, erlc], lambda: run_tool([erlc, "-o", str(folder), str(source)]))
    release = run_tool([erl, "-noshell", "-eval", 'io:put_chars(erlang:system_info(otp_release)), halt().'])
    threads = f"{catalog.WORKERS}:{catalog.WORKERS}"
    return [erl, "+S", threads, "+P", "5000000", "-noshell", "-noinput", "-pa", str(folder), "-s", "erlang_workloads", "main",
            "-extra"], f"OTP {release}"


# --- Java ------------------------------------------------------------------------------------------------------------


def pekko(workshop):
    java, javac = (tool(name, "a JDK has it") for name in ("java", "javac"))
    maven = tool("mvn", "it brings Pekko's libraries")
    folder = workshop.copy("pekko")
    classes, libraries = folder / "target" / "classes", folder / "target" / "lib"

    def build():
        run_tool([maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={libraries}"], cwd=folder)
        run_tool([javac, "-d", str(classes), "-cp", f"{libraries}/*", *map(str, sorted(folder.rglob("*.java")))])

    version = run_tool([javac, "-version"]).strip()
    workshop.once("pekko", [*sources_of("pekko"), version], build)
    pinned = (PEERS / "pekko" / "pom.xml").read_text().split("pekko-actor-typed_2.13</artifactId>")[1]
    pinned = pinned.split("<version>")[1].split("<")[0]
    return [java, "-cp", f"{classes}:{libraries}/*", "bench.Main"], f"{pinned}, {version}"


# --- all --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    name: str
    title: str
    prepare: object          # Workshop -> (command, version); raises Missing
    arguments: tuple = ()    # after the workload's name
    sizes: tuple = ()        # (workload, usual size here): smaller ones for what is slow
    without: tuple = ()      # workloads that mean nothing here
    environment: tuple = ()


PEERS_ALL = (
    Peer("caf", "CAF", caf),
    Peer("goakt", "goakt", goakt),
    Peer("erlang", "Erlang/OTP", erlang),
    Peer("pekko", "Pekko", pekko),
    Peer("pekko-64", "Pekko, throughput 64", pekko, ("--throughput", "64"), without=("ask", "ask-thread", "idle-actors")),
    Peer("proto-actor", "proto.actor", proto_actor),
    Peer("ergo", "Ergo", ergo, without=("ask-thread",)),
    Peer("sobjectizer", "SObjectizer", sobjectizer),
    Peer("kameo", "kameo", kameo),
    Peer("ractor", "ractor", ractor),
    Peer("actix-together", "actix, together", actix),
    Peer("actix-apart", "actix, apart", actix, ("--apart",),
         (("ping-pong", 100_000), ("thread-ring", 100_000), ("ask", 50_000)), ("ask-thread", "idle-actors")),
)


def find_all(programs, workshop_folder, wanted, say):
    """Quern, the floor, and each of the wanted peers, built or with the reason why not."""
    workshop_folder.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(workshop_folder)
    commit = git_version(ROOT) if (ROOT / ".git").exists() else ""
    systems = [System("quern", "Quern", [str(programs / "workloads" / "quern_workloads")], commit),
               System("floor", "floor", [str(programs / "floor" / "quern_floor")])]
    for system in systems:
        read_sizes(system)
    for peer in PEERS_ALL:
        system = System(peer.name, peer.title, environment=dict(peer.environment))
        systems.append(system)
        if peer.name not in wanted:
            system.missing = "not asked for"
            continue
        try:
            say(f"build {peer.title}")
            command, system.version = peer.prepare(workshop)
            system.command = command
            read_sizes(system)
            system.sizes.update({name: size for name, size in peer.sizes if name in system.sizes})
            for name in peer.without:
                system.sizes.pop(name, None)
            system.command = [*command, *peer.arguments]
        except Missing as missing:
            system.missing = str(missing)
            say(f"    {peer.title} is left out: {missing}")
    return systems
