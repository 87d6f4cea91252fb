"""One alarm for one outage, whoever notices it."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from app.telemetry import outage as outage_module
from app.telemetry.outage import Outage

THREADS = 4


class Slow(set[str]):
    """Other threads have their turn between a look at it and what follows."""

    def __contains__(self, kind: object) -> bool:
        found = super().__contains__(kind)
        threading.Event().wait(0.01)
        return found


def test_what_several_threads_notice_at_once_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_module, "set", Slow, raising=False)
    gone, together = Outage("the disk"), threading.Barrier(THREADS)

    def notice(_: int) -> bool:
        together.wait()
        return gone.began("full: of 1 GB")

    def mend(_: int) -> None:
        together.wait()
        gone.over()

    with capture_logs() as said, ThreadPoolExecutor(THREADS) as threads:
        firsts = list(threads.map(notice, range(THREADS)))
        list(threads.map(mend, range(THREADS)))
    assert Counter(firsts) == {True: 1, False: THREADS - 1}
    assert [line["event"] for line in said] == ["the disk fails", "the disk works again"]


def test_a_reason_of_another_kind_is_said_too() -> None:
    gone = Outage("the disk")
    with capture_logs() as said:
        firsts = [gone.began(reason) for reason in ("full: 1 GB", "full: 2 GB", "unplugged")]
    assert firsts == [True, False, False]
    assert [line["reason"] for line in said] == ["full: 1 GB", "unplugged"]
