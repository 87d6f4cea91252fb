"""A vision-language judge behind an OpenAI-compatible server: which of two edits fits the request better?"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.distill.reality.errors import RealityError
from app.distill.reality.trials import Trial, address
from app.distill.reality.verdicts import ORDERS, Hearing, Judgement, Reply, Side
from app.grade import strict_json
from app.prompts.judge import messages
from app.settings import Settings
from app.teacher.call import Completion, Failure, call, connect

PICTURE = 768
"""Longer side of the pictures that are sent, in pixels; such models see little more."""
TEMPERATURE = 0.5
"""Above 0, so that a question that is repeated is asked anew and is no echo."""
GIVEN_UP_AFTER = 3
"""Trials in a row of which a question got no answer by all its tries: the judge is taken for dead."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds between tries: doubled each time where the server names none, and never more than the second."""


class Answer(BaseModel):
    """What the prompt asks for; nothing else is read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    verdict: Literal["A", "B", "neutral"]
    reason: Annotated[str, Field(max_length=2000)] = ""


class _JudgeDownError(Exception):
    """No further question is worth asking."""


class Judge:
    """Asks about trials, each in both orders and `repeats` times. For one hearing; it belongs to one event loop.

    Raises RealityError where no key is set, or a key or an address cannot be used.
    """

    def __init__(self, settings: Settings, repeats: int = 1) -> None:
        try:
            client = connect(settings.judge_api_key, settings.judge_base_url, "RECOLOR_JUDGE")
        except ValueError as error:
            raise RealityError(str(error)) from None
        if client is None:
            raise RealityError(
                "there is no judge: set RECOLOR_JUDGE_API_KEY (to any word, if its server asks for none)"
            )
        self._client, self._settings, self._repeats = client, settings, repeats
        self._slots = asyncio.Semaphore(settings.judge_concurrency)
        self._failed_in_a_row = 0
        self._hearing = Hearing(settings.judge_model)

    async def hear(self, trials: Iterable[Trial], report: Callable[[int], None] = lambda done: None) -> Hearing:
        """Judge every trial; `report` is told how many are done. A judge that is dead ends it early, with an error."""
        hearing, source, found = self._hearing, iter(trials), dict[int, Judgement]()

        async def judge(index: int, trial: Trial) -> None:
            try:
                found[index] = await self._judgement(trial)
            finally:
                self._slots.release()
            report(len(found))

        try:
            async with asyncio.TaskGroup() as group:
                index = 0
                await self._slots.acquire()
                # In a thread, since the next trial is rendered now; and only now, since many would fill the memory.
                while (trial := await asyncio.to_thread(next, source, None)) is not None:
                    group.create_task(judge(index, trial))
                    index += 1
                    await self._slots.acquire()
        except* _JudgeDownError as errors:
            hearing.error = str(errors.exceptions[0])
        finally:
            await self._client.close()
        hearing.judgements = [found[index] for index in sorted(found)]
        return hearing

    async def _judgement(self, trial: Trial) -> Judgement:
        replies: list[Reply] = []
        if (trial.teacher != trial.student).any():
            source = address(trial.source)
            edits = {"teacher": address(trial.teacher), "student": address(trial.student)}
            for a, b in ORDERS * self._repeats:
                completion = await self._ask(messages(trial.intent, source, edits[a], edits[b]))
                if completion is None:
                    self._hearing.unanswered += 1
                    replies.append(Reply(a, None))
                    break  # what is refused or fails once would be again
                replies.append(self._reply(completion, a, b))
        return Judgement(trial.intent, trial.domain, trial.photo, tuple(replies))

    def _reply(self, completion: Completion, a: Side, b: Side) -> Reply:
        answer = read(completion)
        if answer is None:
            self._hearing.unreadable += 1
            return Reply(a, None)
        match answer.verdict:
            case "A":
                return Reply(a, a, answer.reason)
            case "B":
                return Reply(a, b, answer.reason)
        return Reply(a, "neutral", answer.reason)

    async def _ask(self, asked: Sequence[Mapping[str, Any]]) -> Completion | None:
        """What came back to one question, if anything did. Raises _JudgeDownError."""
        result = await self._try(asked)
        if isinstance(result, Completion):
            self._failed_in_a_row = 0
            self._count(result)
            return result
        self._failed_in_a_row += 1
        refuses_all = result.outcome == "rejected" and result.blames_server
        if refuses_all or self._failed_in_a_row >= GIVEN_UP_AFTER:
            raise _JudgeDownError(_advice(result))
        return None

    async def _try(self, asked: Sequence[Mapping[str, Any]]) -> Completion | Failure:
        """Ask, and ask again after a failure that may pass."""
        settings = self._settings
        for retry in range(settings.judge_retries + 1):
            self._hearing.calls += 1
            result = await call(self._client, settings.judge_model, asked, settings.judge_seconds, TEMPERATURE)
            if isinstance(result, Completion) or result.outcome == "rejected" or retry == settings.judge_retries:
                break
            await asyncio.sleep(_pause(result, retry))
        return result

    def _count(self, completion: Completion) -> None:
        hearing, prompt, answer = self._hearing, completion.prompt_tokens, completion.completion_tokens
        hearing.prompt_tokens += prompt
        hearing.completion_tokens += answer
        prices = self._settings.judge_prompt_dollars, self._settings.judge_completion_dollars
        hearing.dollars += (prompt * prices[0] + answer * prices[1]) / 1e6


def read(completion: Completion) -> Answer | None:
    """The judge's answer to the letter; only a code fence around it is tolerated. None where it is anything else."""
    text = completion.text.strip()
    if text.startswith("```"):
        text = text.removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return None if completion.cut else Answer.model_validate(strict_json.read(text))
    except (strict_json.StrictJSONError, ValidationError):
        return None


def _pause(failure: Failure, retry: int) -> float:
    named = failure.retry_after
    return min(FIRST_PAUSE * 2**retry * random.uniform(0.5, 1) if named is None else named, LONGEST_PAUSE)


def _advice(failure: Failure) -> str:
    """What happened, and what to do about it. Nothing of it is the server's own words, which may quote the key."""
    match failure.outcome:
        case "rejected":
            advice = "check RECOLOR_JUDGE_API_KEY, RECOLOR_JUDGE_BASE_URL and the model, which must see pictures"
        case "rate_limited":
            advice = "its limit is used up; try later, or with a lower RECOLOR_JUDGE_CONCURRENCY"
        case "timeout":
            advice = "raise RECOLOR_JUDGE_SECONDS, or lower RECOLOR_JUDGE_CONCURRENCY"
        case _:
            advice = "check RECOLOR_JUDGE_BASE_URL, and that its server runs"
    return f"the judge does not answer: {failure.detail}; {advice}"
