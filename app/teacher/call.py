"""One call over the wire: what came back, or how it failed. Nothing here retries or waits for a slot."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal

from openai import APIConnectionError, APIStatusError, AsyncOpenAI
from pydantic import BaseModel, Field, SecretStr, ValidationError

from app.settings import bearer_key, http_address
from app.telemetry import traces

MAX_TOKENS = 600
"""Bound of one answer: a paragraph and the longest tool's JSON take about 350."""

Outcome = Literal[
    "ok",  # read and valid
    "unreadable",  # answered, but not with settings
    "timeout",  # begun and not answered in time
    "rate_limited",
    "server_error",  # 5xx, or an answer that is no chat completion
    "connection",  # refused, or dropped before the end
    "rejected",  # any other 4xx: a wrong key, an unknown model
    "cancelled",  # by our caller
    "breaker_open",  # not called: the breaker is open
    "no_time",  # not called: it could not have answered in time
]
"""The outcomes in `recolor_teacher_requests_total`, one a try."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the teacher wrote; `cut` says that it was stopped before its end."""

    text: str
    cut: bool
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer. `detail` holds nothing that the server said.

    `blames_server`: whether the next call is likely to fail, too. `retry_after`: seconds, where the server named them.
    """

    outcome: Outcome
    detail: str
    passing: bool = True
    blames_server: bool = True
    retry_after: float | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    completion_tokens: Annotated[int, Field(ge=0)] = 0


class _Body(BaseModel):
    """The part of a chat completion that is read; checked here because "compatible" servers vary."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


def connect(api_key: SecretStr | None, base_url: str, variables: str) -> AsyncOpenAI | None:
    """The client, None where no key is set. Raises ValueError for a key or an address that cannot be used.

    `variables` is how the names of the settings begin, e.g. ``RECOLOR_TEACHER``.
    """
    key = bearer_key(api_key, f"{variables}_API_KEY")
    if not key:
        return None
    http_address(base_url, f"{variables}_BASE_URL")
    # Retries and time limits are ours: the client knows nothing of the request's deadline.
    return AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=None)


async def call(
    client: AsyncOpenAI, model: str, messages: Sequence[Mapping[str, Any]], seconds: float, temperature: float = 0
) -> Completion | Failure:
    """Ask once. A failure is a value, no exception: the client's errors quote the server, which may quote the key."""
    try:
        async with asyncio.timeout(seconds):
            response: Any = await client.chat.completions.with_raw_response.create(
                model=model,
                messages=messages,  # type: ignore[arg-type]
                temperature=temperature,
                max_tokens=MAX_TOKENS,
                extra_headers=traces.headers(),
            )
            body = _Body.model_validate_json(response.content)
    except TimeoutError:
        return Failure("timeout", f"no answer within {seconds:.1f} s", passing=False)
    except APIConnectionError as error:
        return Failure("connection", type(error.__cause__ or error).__name__)
    except APIStatusError as error:
        return _of_status(error.status_code, error.response.headers)
    except ValidationError:
        return Failure("server_error", "the answer is not a chat completion")
    choice, usage = body.choices[0], body.usage or _Usage()
    return Completion(
        text=choice.message.content or "",
        cut=choice.finish_reason in ("length", "content_filter"),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )


def _of_status(status: int, headers: Mapping[str, str]) -> Failure:
    detail = f"HTTP {status}"
    if status == 429:
        return Failure("rate_limited", detail, retry_after=_retry_after(headers))
    if 400 <= status < 500 and status != 408:
        # A wrong key, address or model fails for everyone; any other refusal may be about this one intent.
        return Failure("rejected", detail, passing=False, blames_server=status in (401, 403, 404))
    return Failure("server_error", detail, retry_after=_retry_after(headers))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number of seconds or an HTTP date."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None
