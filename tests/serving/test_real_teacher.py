"""The whole way with the teacher that is deployed, against a server that speaks its protocol."""

import asyncio
from typing import Any

import pytest

from app.grade import TOOLS, Filter
from app.serving import BatchedStudent, MemoryCache, Recolorer, Unavailable
from app.students import Answer
from app.teacher import Teacher
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import ask, eventually, settings
from tests.teacher.openai_server import Fail, OpenAIServer, Say

WINTER = Say.settings({"name": "winter", "intensity": 70})
HANGS = 60.0


async def started(server: OpenAIServer, *unreadable: str, **changes: Any) -> Recolorer:
    """A recolorer whose student cannot answer these tools of "dusk"."""
    given = settings(
        teacher_base_url=server.base_url, teacher_api_key=server.key, teacher_typical_seconds=0.05, **changes
    )
    engine = ScriptedEngine(script={("dusk", tool): Answer("nonsense") for tool in unreadable})
    student = BatchedStudent(lambda: engine, given)
    recolorer = Recolorer(student, Teacher(given), MemoryCache(100), given)
    await recolorer.start()
    return recolorer


async def test_the_teacher_fills_exactly_the_tool_that_the_student_could_not() -> None:
    with OpenAIServer() as server:
        server.reply("filter", WINTER)
        recolorer = await started(server, "filter")
        answer = await recolorer.recolor(ask("dusk"))
        await recolorer.close()
    assert [(call.tool, call.intent) for call in server.calls] == [("filter", "dusk")]
    assert answer.tools == {
        **{tool: look("dusk", tool) for tool in TOOLS},
        "filter": Filter(name="winter", intensity=70),
    }
    assert answer.sources == {"adjust": "student", "selective_adjust": "student", "filter": "teacher"}


async def test_each_tool_that_the_teacher_fails_has_its_own_reason() -> None:
    with OpenAIServer() as server:
        server.reply("adjust", Fail(500))
        server.reply("selective_adjust", Say.settings({"red": {"saturation": 9999}}))
        server.reply("filter", WINTER)
        recolorer = await started(server, *TOOLS)
        answer = await recolorer.recolor(ask("dusk"))
        await recolorer.close()
    assert answer.failed == {"adjust": "teacher_error", "selective_adjust": "schema"}
    assert answer.sources == {"filter": "teacher"}


async def test_a_teacher_that_hangs_costs_no_more_than_the_deadline() -> None:
    with OpenAIServer() as server:
        server.reply("filter", Say("TOOL: No.", delay=HANGS))
        recolorer = await started(server, "filter", deadline_seconds=1.0)
        with pytest.raises(Unavailable) as refused:
            await recolorer.recolor(ask("dusk", "filter"))
        await recolorer.close()
    assert refused.value.failed == {"filter": "timeout"}


async def test_a_request_that_goes_away_hangs_up_on_the_teacher() -> None:
    with OpenAIServer() as server:
        server.reply("filter", Say("TOOL: No.", delay=HANGS))
        recolorer = await started(server, "filter", deadline_seconds=HANGS)
        request = asyncio.create_task(recolorer.recolor(ask("dusk")))
        await eventually(lambda: bool(server.calls))
        request.cancel()
        await eventually(server.calls[0].abandoned.is_set)
        await recolorer.close()
