"""Compare ways of doing the same thing by their time, or say that this machine is too noisy to tell.

    quiet = Quiet()
    found = compare({"plain": program("-m", "benchmarks.peers.plain"), "ours": program(...)}, rounds=3, quiet=quiet)
    found.median_s("plain"), found.ratio("plain", "ours")

Contenders take turns: round by round, in an order that turns round each time, so that a machine that gets slower or
faster does so for all of them. A ratio is taken of turns of the same round; the median of the rounds is reported, with
the lowest and the highest.

How noise is known (`Quiet`):

- **Other processes.** The machine's processor time minus that of our own process and its children, which the system
  counts, is what others used. A turn beside which others used more than a tenth of one core (on a machine of many
  cores, 2 % of them) does not count. Time stolen by a hypervisor is held to the same limit.
- **A slower machine.** A fixed piece of work, the SHA-256 of 24 MB on each core at once, is timed before and after each
  turn. Where its median is more than a quarter above the best of the session, the machine has slowed down (heat, a
  power limit, neighbours on the same chip), and the turn does not count.

A turn that does not count is taken again, a few times. After that, `TooNoisy` says what was seen.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

try:
    import resource
except ImportError:  # Windows: others are then looked for between the turns only
    resource = None

ROOT = Path(__file__).parents[1]
# What would make one contender run otherwise than its users' programs do.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "OMP_WAIT_POLICY", "OMP_PROC_BIND", "GOMP_SPINCOUNT", "GOMP_CPU_AFFINITY", "KMP_BLOCKTIME", "KMP_AFFINITY",
)  # fmt: skip
FLAGS = (
    "avx2", "fma", "avx512f", "avx512_bf16", "avx512bf16", "avx512_vnni", "amx_bf16", "amx_tile", "asimd", "bf16",
    "sve",
)  # fmt: skip


class TooNoisy(RuntimeError):
    """Something else used the machine, so times cannot be compared. The message says what was seen."""


class ContenderFailed(RuntimeError):
    """A contender's process ended with an error; the message holds the end of what it said."""


@dataclass
class Turn:
    """What one turn of one contender gave: its own time, and whatever else it reported."""

    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Ratio:
    """How many times longer one took than another: the median over rounds, and the lowest and highest round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f}x ({self.low:.2f} to {self.high:.2f})"


@dataclass
class Comparison:
    """All turns, in the order of the rounds."""

    turns: dict[str, list[Turn]]
    repeated: int = 0  # turns that did not count and were taken again

    def times_s(self, name: str) -> list[float]:
        return [turn.seconds for turn in self.turns[name]]

    def median_s(self, name: str) -> float:
        return statistics.median(self.times_s(name))

    def spread(self, name: str) -> float:
        """Highest minus lowest time, as a share of the median."""
        times = self.times_s(name)
        return (max(times) - min(times)) / statistics.median(times)

    def ratio(self, slow: str, fast: str, per: Callable[[Turn], float] = lambda turn: turn.seconds) -> Ratio:
        """How many times longer `slow` took than `fast`, by rounds that both took part in."""
        pairs = [per(a) / per(b) for a, b in zip(self.turns[slow], self.turns[fast], strict=False)]
        return Ratio(statistics.median(pairs), min(pairs), max(pairs))

    def fact(self, name: str, fact: str) -> float:
        """The median of a number that the contender reported."""
        return statistics.median(turn.facts[fact] for turn in self.turns[name])

    def as_json(self) -> dict[str, Any]:
        return {
            "repeated_turns": self.repeated,
            "turns": {
                name: [{"seconds": turn.seconds, **turn.facts} for turn in turns] for name, turns in self.turns.items()
            },
        }


Contender = Callable[[], "Turn | float | None"]


def compare(
    contenders: Mapping[str, Contender],
    rounds: int,
    *,
    quiet: "Quiet | None",
    rounds_of: Mapping[str, int] | None = None,
) -> Comparison:
    """Let contenders take turns.

    Args:
        contenders: A name, and what takes one turn: it returns its `Turn` or its seconds; where it returns None, the
            call itself is timed.
        rounds: How many turns each takes.
        quiet: What guards the turns; None where the caller has measures of its own.
        rounds_of: Fewer turns for some, such as one that takes minutes. They take part in the first rounds.

    Raises:
        TooNoisy: Something else used the machine, again and again.
        ContenderFailed: One of them ended with an error.
    """
    found = Comparison({name: [] for name in contenders})
    for number in range(rounds):
        names = [name for name in contenders if number < (rounds_of or {}).get(name, rounds)]
        for name in names if number % 2 == 0 else reversed(names):
            work = contenders[name]
            if quiet is None:
                found.turns[name].append(_taken(work))
            else:
                turn, again = quiet.guard(lambda work=work: _taken(work), name)
                found.turns[name].append(turn)
                found.repeated += again
    return found


def _taken(work: Contender) -> Turn:
    begun = time.perf_counter()
    given = work()
    passed = time.perf_counter() - begun
    if isinstance(given, Turn):
        return given
    return Turn(passed if given is None else float(given))


def program(
    *words: str | Path,
    python: str | Path = sys.executable,
    env: Mapping[str, str] | None = None,
    limit_s: float = 900,
) -> Contender:
    """A contender in a process of its own: `python WORDS` from the root of the clone.

    The last line that it prints is one JSON object with its own measurement in `"seconds"`; the rest of it are facts.
    Where it prints no such line, the time of the whole process counts.

    Args:
        words: The words of the command line after the interpreter.
        python: The interpreter, which decides the environment.
        env: More variables. Those that set threads are removed, so that each contender runs as its users' programs do.
        limit_s: Where it is still running then, something is wrong, and it is ended with its children.
    """

    def take_turn() -> Turn:
        command = [str(python), *map(str, words)]
        begun = time.perf_counter()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            process = subprocess.Popen(
                command, cwd=ROOT, env=clean_environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=said, text=True, encoding="utf-8",
            )  # fmt: skip
            with _ended_at_last(process):
                try:
                    printed, _nothing = process.communicate(timeout=limit_s)
                except subprocess.TimeoutExpired:
                    raise ContenderFailed(f"{' '.join(command)} was still running after {limit_s:.0f} s") from None
            passed = time.perf_counter() - begun
            if process.returncode:
                said.seek(0)
                end = "\n".join((printed + said.read()).splitlines()[-12:])
                raise ContenderFailed(f"{' '.join(command)} ended with status {process.returncode}:\n{end}")
        facts = _last_object(printed)
        return Turn(float(facts.pop("seconds", passed)), facts)

    return take_turn


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of this process without those that set threads, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    return {**kept, **(more or {})}


@contextlib.contextmanager
def _ended_at_last(process: "subprocess.Popen[Any]") -> Iterator[None]:
    """Nothing goes on running behind the next contender's back: neither the process nor its children."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _last_object(printed: str) -> dict[str, Any]:
    for line in reversed(printed.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            return found if isinstance(found, dict) else {}
        if line.strip():
            break
    return {}


def report(seconds: float, **facts: Any) -> None:
    """What a contender prints last."""
    print(json.dumps({"seconds": seconds, **facts}), flush=True)


class Quiet:
    """Knows whether anything else used the machine. The module's docstring says how.

    Args:
        others: How many cores' worth of other processes are borne; by default 0.1, or 2 % of all cores where that is
            more.
        slower: How much slower than the best of the session the fixed work may be, as a factor.
        tries: How often a turn is taken before it is given up.
        wait_s: How long to wait for a quiet moment before the next try.
        spare_s: How long turns that do not count may take, all together; after that each has one try only.
    """

    def __init__(
        self,
        *,
        others: float | None = None,
        slower: float = 1.25,
        tries: int = 3,
        wait_s: float = 20.0,
        spare_s: float = 300.0,
    ) -> None:
        cores = psutil.cpu_count() or 1
        self.others = max(0.1, 0.02 * cores) if others is None else others
        self.slower, self.tries, self.wait_s, self.spare_s = slower, tries, wait_s, spare_s
        self.best_s = min(self._fixed_work_s() for _ in range(5))
        self.seen: list[str] = []  # everything that did not count, for the results

    def guard(self, work: Callable[[], Turn], name: str = "a turn") -> tuple[Turn, int]:
        """Take a turn until one counts.

        Returns:
            The turn, and how many before it did not count.

        Raises:
            TooNoisy: None of them counted.
        """
        for number in range(self.tries):
            begun = time.monotonic()
            self._await_calm()
            watch = _Others()
            turn = work()
            if (trouble := self._trouble(watch)) is None:
                return turn, number
            self.seen.append(f"{name}: {trouble}")
            print(f"  {name}: does not count, {trouble}", file=sys.stderr, flush=True)
            self.spare_s -= time.monotonic() - begun
            if self.spare_s <= 0:
                break
        raise TooNoisy(f"{name}: {trouble} (times tried: {number + 1})")

    def look(self, span_s: float = 0.3) -> str | None:
        """What disturbs right now, while we do nothing; None if nothing does."""
        watch = _Others()
        time.sleep(span_s)
        return self._trouble(watch)

    def require(self) -> None:
        """Raise `TooNoisy` unless the machine is calm now or becomes so within `wait_s`."""
        if (trouble := self._await_calm()) is not None:
            raise TooNoisy(trouble)

    def _await_calm(self) -> str | None:
        until = time.monotonic() + self.wait_s
        while (trouble := self.look()) is not None and time.monotonic() < until:
            time.sleep(0.5)
        return trouble

    def _trouble(self, watch: "_Others") -> str | None:
        used, stolen, span_s = watch.used()
        # The system counts in hundredths of a second, and so a little more than the limit is borne in short turns.
        slack = 0.05 / max(span_s, 0.05)
        if used > self.others + slack:
            return f"other processes used {used:.2f} cores (borne: {self.others:.2f})"
        if stolen > self.others + slack:
            return f"the hypervisor took {stolen:.2f} cores away (borne: {self.others:.2f})"
        now = statistics.median(self._fixed_work_s() for _ in range(5))
        self.best_s = min(self.best_s, now)
        if now > self.slower * self.best_s:
            return (
                f"a fixed piece of work took {now / self.best_s:.2f} times its best of this session "
                f"(borne: {self.slower:.2f})"
            )
        return None

    @staticmethod
    def _fixed_work_s() -> float:
        """SHA-256 of 24 MB on each core at once: hashlib lets go of Python's lock, so threads do for cores."""
        block = bytes(24 << 20)
        threads = [threading.Thread(target=hashlib.sha256, args=(block,)) for _ in range(psutil.cpu_count() or 1)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun


class _Others:
    """Processor time that was used by processes which are not ours, from now on."""

    def __init__(self) -> None:
        self.begun, self.machine, self.own = time.perf_counter(), psutil.cpu_times(), _own_cpu_s()

    def used(self) -> tuple[float, float, float]:
        """Cores used by others, cores stolen by a hypervisor, and the span in seconds that this is about."""
        now, span_s = psutil.cpu_times(), time.perf_counter() - self.begun
        busy = sum(
            getattr(now, kind, 0.0) - getattr(self.machine, kind, 0.0)
            for kind in ("user", "nice", "system", "irq", "softirq", "interrupt", "dpc")  # interrupt, dpc: Windows
        )
        stolen = getattr(now, "steal", 0.0) - getattr(self.machine, "steal", 0.0)
        own = _own_cpu_s() - self.own
        if resource is None and own < 0.5 * busy:  # children are not counted here: cannot tell, so say nothing
            return 0.0, stolen / span_s, span_s
        return max(0.0, busy - own) / span_s, stolen / span_s, span_s


def _own_cpu_s() -> float:
    """Processor time of this process and of all its children that have ended, in seconds."""
    if resource is None:
        return time.process_time()
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def machine() -> dict[str, Any]:
    """Hardware and versions, for the record beside every number."""
    name, flags = _processor()
    return {
        "cpu": name,
        "cores": psutil.cpu_count(logical=False),
        "processors": psutil.cpu_count(),
        "allowed_processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: version_of(package) for package in ("torch", "numpy", "firstlight")},
        "gpu": _gpu(),
    }


def machine_line(facts: Mapping[str, Any] | None = None) -> str:
    """The same in one line."""
    facts = machine() if facts is None else facts
    gpu = f", {facts['gpu']}" if facts.get("gpu") else ""
    return (
        f"{facts['cpu']}, {facts['processors']} processors, {facts['memory_gib']} GiB{gpu}, {facts['system']}, "
        f"Python {facts['python']}, torch {facts['torch']}"
    )


def version_of(package: str) -> str | None:
    """Of the installed package, without importing it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> tuple[str, Sequence[str]]:
    file = Path("/proc/cpuinfo")
    if file.exists():
        lines = dict(
            (part.strip() for part in line.split(":", 1)) for line in file.read_text().splitlines() if ":" in line
        )
        flags = lines.get("flags", lines.get("Features", "")).split()
        return lines.get("model name", platform.machine()), flags
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.machine(), []
    return platform.processor() or platform.machine(), []


def _gpu() -> str | None:
    """The first NVIDIA GPU's name, asked of its driver: torch takes seconds to import."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20,
            check=False,
        )  # fmt: skip
        return asked.stdout.splitlines()[0].strip() if asked.returncode == 0 and asked.stdout.strip() else None
    return None
