"""The brake on guessing."""

from firstlight.lab import identity
from firstlight.lab.identity import FAILURES, WINDOW_S, Brake


def fail(brake: Brake, address: str, times: int = FAILURES, now: float = 0.0) -> None:
    for _ in range(times):
        brake.failed(address, now=now)


def test_the_fifth_failure_brakes_for_the_rest_of_a_minute() -> None:
    brake = Brake()
    fail(brake, "192.0.2.7", FAILURES - 1)
    assert brake.wait_s("192.0.2.7", now=1) == 0
    fail(brake, "192.0.2.7", 1)
    assert brake.wait_s("192.0.2.7", now=1) == WINDOW_S - 1
    assert brake.wait_s("192.0.2.7", now=WINDOW_S) == 0
    assert brake.wait_s("192.0.2.8", now=1) == 0


def test_the_right_password_forgives() -> None:
    brake = Brake()
    fail(brake, "192.0.2.7")
    brake.forget("192.0.2.7")
    brake.forget("192.0.2.9")
    assert brake.wait_s("192.0.2.7", now=1) == 0


def test_an_ipv6_neighbourhood_counts_as_one() -> None:
    brake = Brake()
    for host in range(FAILURES):
        brake.failed(f"2001:db8::{host}", now=0)
    assert brake.wait_s("2001:db8::ffff", now=1) > 0
    assert brake.wait_s("2001:db8:0:1::1", now=1) == 0
    fail(brake, "::ffff:192.0.2.7")
    assert brake.wait_s("192.0.2.7", now=1) > 0
    fail(brake, "fe80::1%eth0")
    assert brake.wait_s("fe80::2", now=1) > 0


def test_memory_is_bounded_and_old_failures_go_first() -> None:
    brake = Brake()
    for number in range(identity.ADDRESSES):
        brake.failed(f"host-{number}", now=0)
    fail(brake, "recent", now=WINDOW_S * 2)
    assert len(brake._failures) == 1
    for number in range(identity.ADDRESSES + 5):
        brake.failed(f"many-{number}", now=WINDOW_S * 2)
    assert len(brake._failures) == identity.ADDRESSES


def test_no_token_matches_an_empty_one() -> None:
    assert not identity._same("", "")
    assert not identity._same("x", "")
    assert identity._same("é", "é")
