"""The teacher's key is in no log, error or repr, and intents are in no log above debug."""

import logging
import traceback
from collections.abc import Callable

import pytest

from app.settings import Settings
from app.teacher import Teacher, TeacherError
from tests.teacher.conftest import PATIENT
from tests.teacher.openai_server import KEY, Drop, Fail, OpenAIServer, Say

MakeTeacher = Callable[..., Teacher]
WRONG_KEY = "sk-wrong-9aZ4LxQ7"
INTENT = "the light of aunt Ottilie's kitchen"


def everything_about(error: BaseException) -> str:
    """The error as any log or report could show it, with all that hangs on it."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    for cause in (error.__cause__, error.__context__):
        shown += everything_about(cause) if cause is not None else ""
    return shown


@pytest.mark.parametrize("key", [KEY, WRONG_KEY])
@pytest.mark.parametrize(
    "behaviour",
    [
        Fail(400, f"Authorization: Bearer {KEY}"),
        Fail(429, f"Slow down, {KEY}", retry_after="0"),
        Fail(500, f"Authorization: Bearer {KEY}"),
        Drop(),
        Say("TOOL: Yes."),
    ],
)
async def test_the_key_is_in_no_log_error_or_repr_even_if_the_server_quotes_it(
    server: OpenAIServer,
    make_teacher: MakeTeacher,
    caplog: pytest.LogCaptureFixture,
    behaviour: Fail | Drop | Say,
    key: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.reply("filter", behaviour)
    teacher = make_teacher(api_key=key)
    with pytest.raises(TeacherError) as caught:
        await teacher.answer(INTENT, "filter", PATIENT)
    assert server.calls or key == WRONG_KEY
    assert caplog.records
    shown = [record.getMessage() + repr(record.args) + repr(record.exc_info) for record in caplog.records]
    shown += [everything_about(caught.value), repr(teacher), repr(vars(teacher)), str(teacher)]
    assert not [text for text in shown if key in text]


async def test_an_intent_is_in_no_log_above_debug(
    server: OpenAIServer, make_teacher: MakeTeacher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.reply(lambda call: call.intent == INTENT, Fail(500), Say(f"I cannot grade {INTENT}"))
    with pytest.raises(TeacherError):
        await make_teacher().answer(INTENT, "filter", PATIENT)
    assert len(server.calls) == 2
    assert "server_error" in caplog.text
    assert "unreadable" in caplog.text
    assert INTENT not in caplog.text


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}…", f"{KEY} {KEY}", " "])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="RECOLOR_TEACHER_API_KEY") as caught:
        Teacher(Settings.model_validate({"teacher_api_key": key}))
    assert KEY not in everything_about(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://models/v1", "http://", "http://models:99999/v1", "http://["]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="RECOLOR_TEACHER_BASE_URL"):
        Teacher(Settings.model_validate({"teacher_api_key": KEY, "teacher_base_url": url}))
