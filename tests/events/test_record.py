"""Events as lines of JSON."""

import json

import pytest
from pydantic import SecretStr

from app.events import Feedback, Serve, ServedTool
from app.events.record import LONGEST_REASONING, Entry, FeedbackRecord, ServeRecord, line_of, record_of
from app.events.user import UserHash
from app.grade import Adjust
from tests.events.helpers import NOW, record, serve


def line(event: Serve | Feedback) -> bytes:
    return line_of(Entry(event, NOW, None))


def test_a_serve_is_read_back_as_it_was_written() -> None:
    read = record(serve(project_id="p", user_id="u"))
    assert isinstance(read, ServeRecord)
    assert (read.request_id, read.intent, read.variant, read.project_id, read.user_hash, read.time) == (
        *("r1", "dusk", "control", "p", "u"),
        NOW,
    )
    adjust, unused = read.tools
    assert json.loads(adjust.output or "") == Adjust(contrast=10).model_dump()
    assert (adjust.reasoning, unused.output, unused.reasoning) == (None, None, "no need")


@pytest.mark.parametrize("tools", [None, (), ("filter", "adjust")])
def test_feedback_is_read_back_as_it_was_written(tools: tuple[str, ...] | None) -> None:
    read = record(Feedback("r1", "discarded", tools, "p", "u"))
    assert isinstance(read, FeedbackRecord)
    assert (read.event, read.tools) == ("discarded", None if tools is None else list(tools))


def test_a_line_is_one_line_and_names_no_user() -> None:
    written = line(serve(intent="a\nb\r\u2028c", user_id="somebody"))
    assert b"\n" not in written
    assert b"somebody" not in written


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [json.loads(line_of(Entry(serve(), time, None)))["event_id"] for time in (0, 0, 1e-6, NOW, NOW + 1)]
    assert len(set(ids)) == 5
    assert max(ids[:2]) < ids[2] < ids[3] < ids[4]


def test_endless_reasoning_is_cut() -> None:
    talkative = ServedTool("filter", None, "teacher", "large", reasoning="well, " * 10_000)
    read = record(serve(tools=[talkative]))
    assert isinstance(read, ServeRecord)
    assert len(read.tools[0].reasoning or "") == LONGEST_REASONING


def test_a_line_of_a_later_version_is_read_for_what_is_known() -> None:
    later = json.loads(line(serve())) | {"mood": "good"}
    assert record_of(json.dumps(later).encode()) == record_of(json.dumps(later | {"mood": None}).encode()) is not None


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x00\x00\x00",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        line(serve())[:-20],
        line(serve()).replace(b'"serve"', b'"sewer"'),
        line(serve()).replace(b'"intent":"dusk"', b'"intent":7'),
        line(Feedback("r1", "exported")).replace(b'"exported"', b'"expected"'),
        line(Feedback("r1", "exported")).replace(str(NOW).encode(), b"1e300"),
        b"9" * 5000,
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_is_no_event(damaged: bytes) -> None:
    assert record_of(damaged) is None


def test_a_user_is_the_same_under_one_key_and_another_under_another() -> None:
    one, same, other = (UserHash(SecretStr(key)) for key in ("k", "k", "l"))
    assert one("ann") == same("ann") != other("ann")
    assert one("ann") != one("bob")
    assert "ann" not in one("ann")
    assert len(one("\ud800")) == 32
