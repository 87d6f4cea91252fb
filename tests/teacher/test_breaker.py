"""The circuit breaker by itself, with a clock that the test turns."""

import pytest
from prometheus_client import REGISTRY

from app.teacher.breaker import Breaker
from tests.teacher.conftest import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, seconds=30, clock=clock)


def let_through(breaker: Breaker, *server_works: bool | None) -> int:
    """Make calls that end as told; how many were let through."""
    passed = 0
    for verdict in server_works:
        with breaker.attempt() as attempt:
            if attempt is not None:
                passed += 1
                attempt.server_works = verdict
    return passed


def gauge() -> float | None:
    return REGISTRY.get_sample_value("recolor_teacher_breaker_open")


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    assert let_through(breaker, False, False) == 2
    assert not breaker.is_open
    assert gauge() == 0
    assert let_through(breaker, False, False) == 1
    assert breaker.is_open
    assert gauge() == 1


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    assert let_through(breaker, False, False, True, False, False) == 5
    assert not breaker.is_open


def test_a_call_without_a_verdict_does_not_count(breaker: Breaker) -> None:
    assert let_through(breaker, False, None, False, None) == 4
    assert not breaker.is_open
    assert let_through(breaker, False) == 1
    assert breaker.is_open


def test_a_call_that_raises_is_let_go_without_a_verdict(breaker: Breaker, clock: Clock) -> None:
    let_through(breaker, False, False, False)
    clock.now += 30
    with pytest.raises(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    assert not breaker.is_open
    assert let_through(breaker, True) == 1


def test_nothing_gets_through_until_the_time_is_over_and_then_one_probe(breaker: Breaker, clock: Clock) -> None:
    let_through(breaker, False, False, False)
    clock.now += 29.9
    assert let_through(breaker, True) == 0
    clock.now += 0.1
    assert not breaker.is_open
    with breaker.attempt() as probe:
        assert probe is not None
        assert breaker.refuses
        assert let_through(breaker, True) == 0
        assert gauge() == 1
        probe.server_works = True
    assert gauge() == 0
    assert let_through(breaker, False, False, True) == 3


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(breaker: Breaker, clock: Clock) -> None:
    let_through(breaker, False, False, False)
    clock.now += 30
    assert let_through(breaker, False) == 1
    assert breaker.is_open
    clock.now += 29.9
    assert let_through(breaker, True) == 0
    clock.now += 0.1
    assert let_through(breaker, True) == 1
    assert not breaker.refuses


@pytest.mark.parametrize("verdict", [True, False])
def test_a_call_from_before_the_opening_neither_closes_nor_prolongs_it(
    breaker: Breaker, clock: Clock, verdict: bool
) -> None:
    with breaker.attempt() as early:
        assert early is not None
        let_through(breaker, False, False, False)
        clock.now += 20
        early.server_works = verdict
    assert breaker.is_open
    clock.now += 10
    assert not breaker.is_open
