"""Which machine and which program made the figures."""

import os
import pathlib
import platform
import subprocess


def _first(path, default=""):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return default


def _cpu(name):
    for line in _first("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _cached(cache, name):
    for line in _first(cache).splitlines():
        if line.startswith(name + ":"):
            return line.partition("=")[2]
    return ""


def take(build):
    """`build`: the CMake folder of the programs."""
    cache = pathlib.Path(build) / "CMakeCache.txt"
    compiler = _cached(cache, "CMAKE_CXX_COMPILER")
    kind = _cached(cache, "CMAKE_BUILD_TYPE")
    memory = _first("/proc/meminfo").splitlines()
    root = pathlib.Path(__file__).resolve().parents[2]
    return {
        "cpu": _cpu("model name"),
        "cpu_family_model": f"{_cpu('cpu family')}/{_cpu('model')}",
        "cpus": os.cpu_count(),
        "cache": _cpu("cache size"),
        "memory_mib": int(memory[0].split()[1]) // 1024 if memory else 0,
        "hypervisor": "hypervisor" in _cpu("flags").split(),
        "kernel": platform.release(),
        "governor": _first("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
        "load": list(os.getloadavg()),
        "compiler": _output(compiler, "--version").splitlines()[0] if compiler and _output(compiler, "--version") else "",
        "flags": " ".join(filter(None, (_cached(cache, "CMAKE_CXX_FLAGS"),
                                        _cached(cache, f"CMAKE_CXX_FLAGS_{kind.upper()}")))),
        "commit": _output("git", "-C", str(root), "rev-parse", "HEAD"),
        "changed": bool(_output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")),
    }


def machine_of(fingerprint):
    """What must be equal for figures to be comparable."""
    return tuple(fingerprint.get(key) for key in ("cpu", "cpu_family_model", "cpus"))


def in_words(fingerprint):
    virtual = ", virtual" if fingerprint.get("hypervisor") else ""
    return (f"{fingerprint.get('cpus')} x {fingerprint.get('cpu') or 'unknown CPU'} "
            f"({fingerprint.get('cpu_family_model')}{virtual}), {fingerprint.get('memory_mib', 0) // 1024} GiB, "
            f"Linux {fingerprint.get('kernel')}")
