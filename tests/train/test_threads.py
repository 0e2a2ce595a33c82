"""Threads follow the free cores, find the quicker number, and never go against a choice."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from firstlight.train import cgroup, threads
from firstlight.train.cgroup import cores_allowed, memory_left
from firstlight.train.threads import KernelThreads, Machine, Policy, Threads, somebody_has_chosen

CORES = cores_allowed()


@pytest.fixture(autouse=True)
def torch_as_it_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody has chosen, and torch has a thread for each core."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(CORES)
    yield
    torch.set_num_threads(before)


class Lonely(Machine):
    """A machine of which the test says how many cores are free."""

    def __init__(self, cores: int) -> None:
        super().__init__()
        self.cores = self.free = cores

    def look(self, *, readings: int = 0) -> None:
        self.looked = time.perf_counter() + 1e6  # not again


def steps(policy: Policy, machine: Machine, costs: dict[int, float], seconds: float, clock: list[float]) -> list[int]:
    """Go on for so many seconds of a made-up clock, in which a step with n threads takes `costs[n]`."""
    used, number, end = [], policy.number, clock[0] + seconds
    while clock[0] < end:
        clock[0] += costs[number]
        used.append(number)
        number = policy.after_step(costs[number], clock[0])
    return used


def share(used: list[int], number: int) -> float:
    return used.count(number) / len(used)


@pytest.mark.parametrize(
    ("costs", "best", "seconds"),
    [
        ({1: 0.010, 2: 0.006}, 2, 60),
        ({1: 0.0004, 2: 0.0009}, 1, 30),  # so small that the barriers cost more than they bring
        ({1: 1.0, 2: 0.6}, 2, 1000),
    ],
)
def test_trials_find_the_quicker_number_and_cost_little(costs: dict[int, float], best: int, seconds: float) -> None:
    machine, clock = Lonely(2), [time.perf_counter()]
    policy = Policy(2, 2, machine)
    used = steps(policy, machine, costs, seconds, clock)
    spent = sum(costs[number] for number in used) / (len(used) * costs[best])
    assert spent < 1.02
    assert share(used[-len(used) // 2 :], best) > 0.97


def test_of_many_cores_the_best_number_is_found_step_by_step() -> None:
    costs = {n: 0.001 + 0.016 / n + 0.001 * n for n in range(1, 17)}  # best at 4
    machine, clock = Lonely(16), [time.perf_counter()]
    used = steps(Policy(16, 16, machine), machine, costs, 60, clock)
    assert share(used[-1000:], 4) > 0.9


def test_a_neighbour_takes_a_thread_and_gives_it_back() -> None:
    machine, clock = Lonely(2), [time.perf_counter()]
    policy, quiet, busy = Policy(2, 2, machine), {1: 0.010, 2: 0.006}, {1: 0.010, 2: 0.2}
    steps(policy, machine, quiet, 5, clock)
    machine.free, machine.looked = 1, 0.0
    used = steps(policy, machine, busy, 10, clock)
    assert used[0] == 2
    assert share(used, 1) > 0.99
    machine.free, machine.looked = 2, 0.0
    used = steps(policy, machine, quiet, 10, clock)
    assert used[0] == 1
    assert share(used, 2) > 0.95


def test_a_neighbour_that_gives_way_is_found_out() -> None:
    """It looks busy, and yet two threads are quicker beside it."""
    machine, clock = Lonely(2), [time.perf_counter()]
    machine.free = 1
    used = steps(Policy(2, 1, machine), machine, {1: 0.010, 2: 0.006}, 20, clock)
    assert used[0] == 1
    assert used[-1] == 2


@pytest.mark.parametrize("quiet_s", [0, 10])
def test_a_neighbour_whom_the_system_does_not_show_is_noticed_by_the_steps(quiet_s: float) -> None:
    """All cores seem free, and yet every step with two threads waits for one that does not run."""
    machine, clock = Lonely(2), [time.perf_counter()]
    policy, stalling = Policy(2, 2, machine), {1: 0.020, 2: 0.240}
    steps(policy, machine, {1: 0.020, 2: 0.012}, quiet_s, clock)
    if quiet_s == 0:  # nothing better is known yet, and a trial has to be earned
        steps(policy, machine, stalling, 20, clock)
    used = steps(policy, machine, stalling, 60, clock)
    assert sum(stalling[number] for number in used) / len(used) < 1.1 * 0.020
    used = steps(policy, machine, {1: 0.020, 2: 0.012}, 100, clock)
    assert used[-1] == 2


def test_a_loop_that_begins_beside_a_neighbour_is_not_slowed_by_trials() -> None:
    machine, clock, costs = Lonely(2), [time.perf_counter()], {1: 0.017, 2: 0.5}
    machine.free = 1
    policy = Policy(2, 1, machine)
    for seconds in (2, 60, 600):
        used = steps(policy, machine, costs, seconds, clock)
        assert sum(costs[number] for number in used) / len(used) < 1.05 * 0.017


def test_one_interruption_decides_no_trial() -> None:
    machine, clock = Lonely(2), [time.perf_counter()]
    policy, number, count = Policy(2, 2, machine), 2, 0
    for count in range(200):
        took = {1: 0.010, 2: 0.006}[number] + (0.5 if count == 5 else 0.0)  # a picture is drawn in the first trial
        clock[0] += took
        number = policy.after_step(took, clock[0])
    assert number == 2


@pytest.mark.skipif(CORES < 2, reason="threads are only given up where there are two")
def test_a_real_neighbour_is_seen_and_its_end_too() -> None:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _core in range(CORES)]
    try:
        machine, end = Machine(), time.perf_counter() + 20
        while machine.free == CORES and time.perf_counter() < end:
            time.sleep(0.1)
            machine.look()
        assert machine.free < CORES
        assert machine.others > 0.35
        for adapt in (False, True):
            threads.machine.cache_clear()  # what nobody has looked at yet is looked at when a loop begins
            started = Threads(adapt=adapt)
            with started:
                assert started.number < CORES
                assert started.line
        assert torch.get_num_threads() == CORES
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_own_work_is_no_neighbours() -> None:
    machine, end = Machine(), time.perf_counter() + 0.3
    before = time.process_time()
    while time.perf_counter() < end:
        pass
    own = time.process_time() - before
    total = machine._busy_s() - machine._busy
    machine._read()
    assert machine.others <= (total - own) / 0.3 + 0.3


def test_a_number_is_kept_and_given_back() -> None:
    with Threads(1) as crew:
        crew.tick()
        assert torch.get_num_threads() == crew.number == 1
        assert crew.line == ""
    assert torch.get_num_threads() == CORES


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_environment_is_a_choice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert somebody_has_chosen()
    with Threads() as crew:
        assert crew._policy is None
        assert torch.get_num_threads() == CORES


@pytest.mark.skipif(CORES < 2, reason="one core leaves no choice")
def test_torch_set_num_threads_is_a_choice_before_and_meanwhile() -> None:
    odd = CORES + 1  # no number that torch begins with
    torch.set_num_threads(odd)
    with Threads() as crew:
        crew.tick()
        assert torch.get_num_threads() == odd
    torch.set_num_threads(CORES)
    with Threads() as crew:
        torch.set_num_threads(odd)
        for _step in range(50):
            crew.tick()
        assert torch.get_num_threads() == odd
    assert torch.get_num_threads() == odd, "and it is the person's after the loop too"


def test_an_accelerator_leaves_threads_alone() -> None:
    with Threads(1, device="cuda") as crew:
        crew.tick()
        assert torch.get_num_threads() == CORES
    with Threads("auto", device="meta") as crew:
        assert crew._policy is None


def test_a_loop_without_adapting_keeps_its_number() -> None:
    with Threads(adapt=False) as crew:
        first = torch.get_num_threads()
        for _step in range(2000):
            crew.tick()
        assert torch.get_num_threads() == first


def test_a_tick_costs_little() -> None:
    """Counted in operations of Python, as times say little beside other tests: no look at the machine in most ticks."""
    looks = 0

    class Counting(Machine):
        def look(self, *, readings: int = 0) -> None:
            nonlocal looks
            looks += 1
            super().look(readings=readings)

    machine = Counting()
    policy = Policy(max(CORES, 2), max(CORES, 2), machine)
    began = time.perf_counter()
    for _step in range(5000):
        policy.after_step(0.001, time.perf_counter())
    assert looks <= 2 + (time.perf_counter() - began) / 0.05


def optimizer() -> torch.optim.Optimizer:
    model = nn.Linear(4, 2)
    made = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.randn(3, 4)).sum().backward()
    return made


@pytest.mark.skipif(CORES < 2, reason="one core leaves no choice")
def test_in_a_kernel_one_optimizer_leads_and_a_choice_ends_it() -> None:
    kernel = KernelThreads()
    first, second = optimizer(), optimizer()
    kernel.after_step(first)
    policy = kernel._policy
    assert policy is not None
    kernel.after_step(second)
    assert kernel._policy is policy, "the second optimizer of a loop, such as a critic's"
    with Threads(1):
        kernel.after_step(first)
        assert torch.get_num_threads() == 1, "fit is in charge"
    assert not kernel._off
    torch.set_num_threads(CORES + 1)
    kernel.after_step(first)
    kernel.before_cell()
    assert kernel._off
    assert torch.get_num_threads() == CORES + 1


def test_in_a_kernel_nothing_that_is_wrong_ends_a_loop() -> None:
    kernel = KernelThreads()
    kernel._off = False

    class Broken:
        def after_step(self, took: float, now: float) -> int:
            raise OSError("no /proc")

    one = optimizer()
    kernel.after_step(one)
    kernel._policy = Broken()
    kernel.after_step(one)
    assert kernel._off


def test_attending_ticks_with_every_optimizer() -> None:
    code = """
import torch
from firstlight.train import threads
threads.attend_kernel()
threads.attend_kernel()  # once is enough
model = torch.nn.Linear(4, 2)
both = [make(model.parameters(), lr=0.1) for make in (torch.optim.SGD, torch.optim.AdamW)]
for optimizer in both:
    model(torch.randn(3, 4)).sum().backward()
    optimizer.step()
kernel = threads._kernel
assert kernel._off or kernel._leader() is both[0]
print("ok", kernel._off)
"""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ran.stdout.split() == ["ok", str(CORES < 2)], ran.stderr


def test_limits_of_containers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path
    (root / "hub" / "learner").mkdir(parents=True)
    (root / "hub" / "cpu.max").write_text("150000 100000\n")
    (root / "hub" / "learner" / "cpu.max").write_text("max 100000\n")
    (root / "hub" / "learner" / "memory.max").write_text(f"{2**30}\n")
    (root / "hub" / "learner" / "memory.current").write_text(f"{2**29}\n")
    (root / "hub" / "learner" / "memory.stat").write_text("anon 5\ninactive_file 1000\n")
    monkeypatch.setattr(cgroup, "_ROOT", root)
    read = Path.read_text

    def told(self: Path, *words: object, **more: object) -> str:
        return "0::/hub/learner\n" if str(self) == "/proc/self/cgroup" else read(self)

    monkeypatch.setattr(Path, "read_text", told)
    assert cgroup.cores_allowed() == min(2, CORES)
    assert memory_left() == 2**29 + 1000
