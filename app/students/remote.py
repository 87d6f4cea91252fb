"""Writing students behind an OpenAI-compatible server, such as vLLM's: the service scales apart from its GPUs.

Manifest and tokenizer are read from the model store, the weights need not be there. While the server cannot be reached
calls fail at once, and the student comes back by itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.grade import TOOLS
from app.settings import Settings
from app.students.completions import Completions, ServerError, Written
from app.students.concurrent import WARM_UP, ConcurrentStudent
from app.students.life import FIRST_PAUSE_SECONDS
from app.students.protocol import Answer, Overloaded, Prompt
from app.students.store import ModelStore

if TYPE_CHECKING:  # torch comes with it, for which the service does not wait before it listens
    from app.students.dialogue import Bounds, Dialogue

SILENT_SECONDS = 5.0


class RemoteStudent(ConcurrentStudent):
    """A `Student` by a server. Raises ValueError for an address or a key that cannot be used."""

    _dialogue: "Dialogue"

    def __init__(
        self,
        settings: Settings,
        *,
        restart_seconds: float = FIRST_PAUSE_SECONDS,
        stalled_seconds: float = 30.0,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._server = Completions(settings)
        super().__init__(
            settings,
            restart_seconds=restart_seconds,
            stalled_seconds=stalled_seconds,
            silent_seconds=silent_seconds,
        )

    async def start(self) -> None:
        """Ask the server once; one that may yet answer is asked again in the background.

        Raises ModelStoreError, and ServerError where a setting must be changed first.
        """
        self._dialogue = await asyncio.to_thread(read_student, self._settings)
        self.codec, self.decoding = self._dialogue.codec, self._dialogue.decoding
        try:
            await super().start()
        except (ServerError, Overloaded) as error:
            if isinstance(error, ServerError) and not error.passing:
                raise
            self._begin_life(None)

    async def close(self, seconds: float = 10.0) -> None:
        await super().close(seconds)
        await self._server.close()

    async def _engine_anew(self) -> "RemoteEngine":
        return RemoteEngine(self._server, self._dialogue)


class RemoteEngine:
    """The student at its server, as long as it answers. The connections are not its own."""

    dead = False

    def __init__(self, server: Completions, dialogue: "Dialogue") -> None:
        self.codec, self.decoding = dialogue.codec, dialogue.decoding
        self._server, self._dialogue = server, dialogue
        self._bounds = {tool: dialogue.bounds(tool) for tool in TOOLS}

    async def begin(self) -> None:
        """Raises ServerError, also where the server does not keep to the grammar."""
        answers, _ = await self.generate(WARM_UP)
        if self.decoding == "free":
            return
        for prompt, answer in zip(WARM_UP, answers, strict=True):
            if not self.codec.grammar(prompt.tool).accepts(answer.text or ""):
                raise ServerError(
                    "does not decode under a grammar as vLLM's does (`structured_outputs`): use one that does, or set "
                    "RECOLOR_DECODING=free",
                    passing=False,
                )

    async def generate(self, prompts: Sequence[Prompt]) -> tuple[list[Answer], float]:
        """One answer a prompt, in order; how long they waited at the server is not known.

        A call has one grammar: prompts of different tools are sent in calls of their own, all at once. When this is
        cancelled the server is told by the end of the connections. Raises ServerError, Overloaded.
        """
        read = [self._dialogue.prompt(prompt) for prompt in prompts]
        alike: defaultdict[Bounds, list[int]] = defaultdict(list)
        for place, prompt in enumerate(prompts):
            if read[place] is not None:
                alike[self._bounds[prompt.tool]].append(place)
        try:
            async with asyncio.TaskGroup() as group:
                calls = {
                    bounds: group.create_task(self._server.write([read[place] or [] for place in places], bounds))
                    for bounds, places in alike.items()
                }
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        answers = [Answer(None)] * len(prompts)
        for bounds, call in calls.items():
            for place, written in zip(alike[bounds], call.result(), strict=True):
                answers[place] = self._answer(written)
        return answers, 0.0

    async def close(self) -> None:
        """Nothing is its own."""

    def _answer(self, written: Written) -> Answer:
        cut = written.finish_reason == "length"
        if written.token_ids is None:
            return self._dialogue.read(written.text, cut)
        return self._dialogue.answer(written.token_ids, cut)


def read_student(settings: Settings) -> "Dialogue":
    """How the student is asked; of its files the weights may be missing. Raises ModelStoreError."""
    from app.students.dialogue import Dialogue

    stored = ModelStore(settings.model_store).find(settings.model)
    stored.verify(weights=False)
    return Dialogue(stored, settings.decoding)
