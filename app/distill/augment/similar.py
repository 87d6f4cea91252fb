"""Similar intents: recorded answers first, and for the rest a model behind any OpenAI-compatible server."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path

from openai import AsyncOpenAI

from app.distill.dataset import DatasetError, read_jsonl
from app.grade import fold
from app.prompts.augment import messages
from app.settings import Settings
from app.teacher.call import Completion, Failure, call, connect

NOBODY_WRITES = "nobody can write similar intents: set RECOLOR_TEACHER_API_KEY, or give --replay"
SECONDS = 60.0
TEMPERATURE = 0.7
TRIES = 4
LONGEST_PAUSE = 30.0
GIVEN_UP_AFTER = 5
"""Questions in a row without an answer by all their tries: the server is taken for dead."""


def read_similar(files: Iterable[Path]) -> dict[str, str]:
    """Recorded answers by folded intent; the first counts. Raises DatasetError."""
    found: dict[str, str] = {}
    for file in files:
        for row, where in read_jsonl(file):
            intent, similar = row.get("intent"), row.get("similar")
            if not isinstance(intent, str) or not isinstance(similar, str):
                raise DatasetError(f"{where}: expected 'intent' and 'similar', both text")
            found.setdefault(fold(intent), similar)
    return found


def similar_to(
    intents: Sequence[str],
    replay: Sequence[Path],
    settings: Settings,
    record: Path,
    bar: Callable[[int], Callable[[int], None]],
) -> dict[str, str]:
    """Answers by folded intent: replayed, or asked for unless they are in the record already.

    `bar` is told how many are asked for, and gives what is then told how many are done. Raises DatasetError.
    """
    if replay:
        return read_similar(replay)
    known = read_similar([record] if _drop_half_a_line(record) else [])
    missing = [intent for intent in intents if fold(intent) not in known]
    if not missing:
        return known
    report, done = bar(len(missing)), count(1)
    return known | asyncio.run(Writer(settings, record).write(missing, lambda more: report(next(done))))


def _drop_half_a_line(record: Path) -> bool:
    """Take back what a full disk has left of an answer: it is asked for again. Whether there is a record at all."""
    if not record.is_file():
        return False
    os.truncate(record, record.read_bytes().rfind(b"\n") + 1)
    return True


class Writer:
    """Asks for similar intents and appends each answer to a file at once: what was paid for is never asked again.

    Raises DatasetError where there is no key, or a key or an address cannot be used.
    """

    def __init__(self, settings: Settings, record: Path) -> None:
        try:
            client = connect(settings.teacher_api_key, settings.teacher_base_url, "RECOLOR_TEACHER")
        except ValueError as error:
            raise DatasetError(str(error)) from None
        if client is None:
            raise DatasetError(NOBODY_WRITES)
        self._client: AsyncOpenAI = client
        self._model, self._record = settings.teacher_model, record
        self._slots = asyncio.Semaphore(settings.teacher_concurrency)
        self._failed_in_a_row = 0

    async def write(self, intents: Sequence[str], report: Callable[[int], None]) -> dict[str, str]:
        """Answers by folded intent; those without one are absent. Raises DatasetError where the server is dead."""
        found: dict[str, str] = {}

        async def one(intent: str) -> None:
            async with self._slots:
                if (similar := await self._ask(intent)) is not None:
                    found[fold(intent)] = similar
                    with self._record.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"intent": intent, "similar": similar}, ensure_ascii=False) + "\n")
                report(1)

        try:
            async with asyncio.TaskGroup() as group:
                for intent in intents:
                    group.create_task(one(intent))
        except* DatasetError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._client.close()
        return found

    async def _ask(self, intent: str) -> str | None:
        result: Completion | Failure | None = None
        for turn in range(TRIES):
            result = await call(self._client, self._model, messages(intent), SECONDS, TEMPERATURE)
            if isinstance(result, Completion):
                self._failed_in_a_row = 0
                return None if result.cut else result.text
            if not result.passing:
                break
            if turn + 1 < TRIES:
                await asyncio.sleep(min(LONGEST_PAUSE, result.retry_after or 0.25 * 2**turn))
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= GIVEN_UP_AFTER and isinstance(result, Failure):
            raise DatasetError(f"the writing model does not answer ({result.detail}); what it wrote is kept")
        return None
