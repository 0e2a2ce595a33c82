"""The harness: who takes turns when, what it reports, and that it refuses a machine that something else is using.

No time is asserted: what is held is the arithmetic, and what a real busy process is answered with.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from benchmarks.harness import (
    Comparison,
    ContenderFailed,
    Quiet,
    TooNoisy,
    Turn,
    _Others,
    clean_environment,
    compare,
    machine,
    machine_line,
    program,
    resource,
)

SAYS = "import json, sys; print('a word'); print(json.dumps({'seconds': 2.5, 'samples': 7}))"


@pytest.fixture
def busy() -> Iterator[None]:
    """A real process on each core that does nothing but count."""
    counters = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(psutil.cpu_count() or 1)]
    time.sleep(0.3)
    yield
    for counter in counters:
        counter.kill()
        counter.wait()


def test_contenders_take_turns_in_an_order_that_turns_round() -> None:
    taken: list[str] = []

    def contender(name: str, seconds: float):
        return lambda: taken.append(name) or Turn(seconds)

    found = compare({"a": contender("a", 4.0), "b": contender("b", 2.0)}, 3, quiet=None)
    assert taken == ["a", "b", "b", "a", "a", "b"]
    assert found.times_s("a") == [4.0, 4.0, 4.0]
    assert found.ratio("a", "b").median == 2.0


def test_one_that_takes_long_may_have_fewer_turns() -> None:
    found = compare({"a": lambda: 1.0, "b": lambda: 3.0}, 3, quiet=None, rounds_of={"b": 1})
    assert (len(found.turns["a"]), len(found.turns["b"])) == (3, 1)
    assert found.ratio("b", "a").median == 3.0


def test_ratios_are_of_the_same_round() -> None:
    # The machine was half as fast in the second round: each ratio is 2 all the same.
    found = Comparison({"slow": [Turn(2), Turn(4), Turn(2)], "fast": [Turn(1), Turn(2), Turn(1)]})
    ratio = found.ratio("slow", "fast")
    assert (ratio.low, ratio.median, ratio.high) == (2, 2, 2)
    assert found.spread("slow") == 1.0
    assert str(ratio) == "2.00x (2.00 to 2.00)"


def test_a_call_that_returns_nothing_is_timed() -> None:
    found = compare({"nothing": lambda: None}, 1, quiet=None)
    assert 0 <= found.median_s("nothing") < 60


def test_a_program_reports_its_own_time_and_facts() -> None:
    turn = program("-c", SAYS)()
    assert isinstance(turn, Turn)
    assert (turn.seconds, turn.facts) == (2.5, {"samples": 7})


def test_a_program_that_reports_nothing_is_timed_as_a_whole() -> None:
    turn = program("-c", "print('[1, 2]')")()
    assert isinstance(turn, Turn)
    assert turn.seconds > 0
    assert turn.facts == {}


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(ContenderFailed, match=r"(?s)status 3.*the reason"):
        program("-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)")()


def test_a_program_that_does_not_end_is_ended_with_its_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(50)'])"
    before = set(psutil.Process().children(recursive=True))  # what other tests left running
    with pytest.raises(ContenderFailed, match="still running after 2 s"):
        program("-c", code, limit_s=2)()
    _gone, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=5)
    assert alive == []


def test_no_contender_inherits_a_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = "import json, os; print(json.dumps({'seconds': 1, 'threads': os.environ.get('OMP_NUM_THREADS')}))"
    turn = program("-c", code, env={"MORE": "1"})()
    assert isinstance(turn, Turn)
    assert turn.facts["threads"] is None
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert clean_environment({"OMP_NUM_THREADS": "2"})["OMP_NUM_THREADS"] == "2", "unless it is asked for"


@pytest.mark.usefixtures("busy")
def test_a_busy_machine_is_refused_and_why_is_said() -> None:
    quiet = Quiet(tries=2, wait_s=0.1)
    with pytest.raises(TooNoisy, match=r"other processes used \d\.\d\d cores .*times tried: 2"):
        compare({"asleep": program("-c", "import time; time.sleep(0.5)")}, 1, quiet=quiet)
    assert len(quiet.seen) == 2
    with pytest.raises(TooNoisy, match="other processes used"):
        quiet.require()


@pytest.mark.usefixtures("busy")
def test_turns_that_do_not_count_may_not_take_for_ever() -> None:
    with pytest.raises(TooNoisy, match="times tried: 1"):
        compare({"a": lambda: time.sleep(0.3)}, 1, quiet=Quiet(tries=50, wait_s=0.1, spare_s=0.1))


def test_what_a_contender_uses_itself_is_not_noise() -> None:
    """It and its own children work as hard as they like: a whole core beside ours, for one, is not somebody else's."""
    works = "import time; end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {works!r}])\n{works}"
    watch = _Others()
    program("-c", child)()
    used, _stolen, span_s = watch.used()
    busy = sum(psutil.cpu_times()[:3]) - sum(watch.machine[:3])  # user, nice, system
    if resource is not None:
        assert used * span_s <= busy - 1.0, "its 1.2 seconds are taken off what the machine used"


def test_a_machine_that_became_slower_is_refused() -> None:
    quiet = Quiet(others=1e9, tries=1, wait_s=0.1)
    quiet.best_s /= 1000  # as if the same work had once taken a thousandth
    with pytest.raises(TooNoisy, match="a fixed piece of work took"):
        compare({"a": lambda: 1.0}, 1, quiet=quiet)


def test_a_calm_machine_is_taken() -> None:
    found = compare({"a": lambda: 1.0}, 3, quiet=Quiet(others=1e9, slower=1e9))
    assert (found.times_s("a"), found.repeated) == ([1.0, 1.0, 1.0], 0)
    json.dumps(found.as_json())


def test_the_machine_is_recorded() -> None:
    facts = machine()
    assert facts["processors"] == psutil.cpu_count()
    assert all(facts[name] for name in ("cpu", "python", "torch"))
    assert str(facts["torch"]) in machine_line(facts)
    json.dumps(facts)
