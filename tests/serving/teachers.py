"""A teacher that answers by script, with the interface of the one in `app.teacher`."""

import asyncio
from dataclasses import dataclass, field

from app.grade import Adjust, Filter, SelectiveAdjust, ToolSettings
from app.teacher import TeacherAnswer, TeacherError

LESSON: dict[str, ToolSettings | None] = {
    "adjust": Adjust(contrast=-33),
    "selective_adjust": SelectiveAdjust.parse({"blue": {"luminance": 44}}),
    "filter": Filter(name="winter", intensity=55),
}


@dataclass
class ScriptedTeacher:
    """Answers with LESSON; a tool in `refusals` fails for that reason. Nothing is answered while `gate` is closed."""

    enabled: bool = True
    ready: bool = True
    refusals: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: tuple[int, int] = (100, 50)
    asked: bool = True
    cancelled: int = 0
    busy: int = 0
    busiest: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    async def answer(self, intent: str, tool: str, timeout: float) -> TeacherAnswer:  # noqa: ASYNC109
        self.calls.append((intent, tool))
        self.timeouts.append(timeout)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(0)
                await self.gate.wait()
        except TimeoutError:
            raise TeacherError("timeout") from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.busy -= 1
        if tool in self.refusals:
            raise TeacherError(self.refusals[tool], asked=self.asked)
        return TeacherAnswer(LESSON[tool], "because", *self.tokens)

    async def close(self) -> None:
        self.closed = True


def absent() -> ScriptedTeacher:
    """No key is set: there is no teacher."""
    return ScriptedTeacher(enabled=False, ready=False)
