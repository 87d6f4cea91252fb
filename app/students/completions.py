"""One call of an OpenAI-compatible server's ``/completions``, with prompts as token ids: what was written, or how it
failed. Nothing here retries.

Beyond the protocol it takes from vLLM's server, which others may ignore: the tokens of an answer (`return_token_ids`),
and of a student that decodes under a grammar the bounds (`structured_outputs`, `allowed_token_ids`).
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
import structlog
from pydantic import BaseModel, Field, ValidationError

from app.settings import Settings, bearer_key, http_address
from app.students.protocol import EngineError, Overloaded
from app.telemetry import traces

if TYPE_CHECKING:  # torch comes with it, for which the service does not wait before it listens
    from app.students.dialogue import Bounds

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 4.0
"""After which a connection is given up; vLLM's server ends it after five, and a call that just begins would fail."""
MAX_BODY_BYTES = 2**20
"""An answer of three prompts has a few thousand."""
LONGEST_PAUSE_SECONDS = 60


class ServerError(EngineError):
    """The server did not answer as it must; the message holds nothing that it said.

    `passing`: whether it may yet answer without anybody changing a setting.
    """

    def __init__(self, message: str, passing: bool = True) -> None:
        self.passing = passing
        super().__init__(f"the student's server {message}")


class Written(BaseModel):
    """What the server wrote after one prompt. `token_ids`: all of them, the end token included; None: not told."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"]
    token_ids: list[Annotated[int, Field(ge=0, lt=2**31)]] | None = None


class _Body(BaseModel):
    """The part of a completion that is read; checked here because "compatible" servers vary."""

    model: str
    choices: list[Written]


class Completions:
    """A server and the connections that are kept to it. Belongs to one event loop.

    Raises ValueError for an address or a key that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.remote_base_url is None:
            raise ValueError("RECOLOR_BACKEND=remote needs RECOLOR_REMOTE_BASE_URL, e.g. http://gpu-1:8000/v1")
        url = http_address(settings.remote_base_url, "RECOLOR_REMOTE_BASE_URL")
        key = bearer_key(settings.remote_api_key, "RECOLOR_REMOTE_API_KEY")
        self._model = settings.remote_model or settings.model
        self._seconds = settings.deadline_seconds
        self._problem = ""
        connections = settings.remote_connections
        self._client = httpx.AsyncClient(
            base_url=url,
            # An answer that is packed could unpack to any length.
            headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_SECONDS
            ),
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        )

    async def write(self, prompts: Sequence[Sequence[int]], bounds: "Bounds") -> list[Written]:
        """Continue prompts greedily, inside the bounds; one answer a prompt, in order.

        When this is cancelled the connection is closed, by which the server knows. Raises ServerError, Overloaded.
        """
        try:
            written = await self._ask(prompts, bounds)
        except ServerError as error:
            if str(error) != self._problem:  # one line, however many calls it fails
                self._problem = str(error)
                log.warning(self._problem, model=self._model)
            raise
        self._problem = ""
        return written

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, prompts: Sequence[Sequence[int]], bounds: "Bounds") -> list[Written]:
        request: dict[str, Any] = {
            "model": self._model,
            "prompt": prompts,
            "temperature": 0,
            "max_tokens": bounds.longest,
            "return_token_ids": True,
        }
        if bounds.regex is not None:
            request["structured_outputs"] = {"regex": bounds.regex}
        if bounds.tokens is not None:
            request["allowed_token_ids"] = bounds.tokens
        try:
            async with asyncio.timeout(self._seconds):
                content = await self._post(request)
        except TimeoutError:
            raise ServerError(f"did not answer within {self._seconds:.1f} s") from None
        except httpx.HTTPError as error:
            raise ServerError(f"cannot be reached ({type(error).__name__})") from None
        return self._read(content, len(prompts))

    async def _post(self, request: dict[str, Any]) -> bytes:
        """The body of the answer. Raises ServerError, Overloaded, httpx.HTTPError."""
        async with self._client.stream("POST", "completions", json=request, headers=traces.headers()) as response:
            if response.status_code != 200:
                raise self._refusal(response.status_code, response.headers)
            content = bytearray()
            async for part in response.aiter_raw():
                content += part
                if len(content) > MAX_BODY_BYTES:
                    raise ServerError("answers without an end")
            return bytes(content)

    def _refusal(self, status: int, headers: Mapping[str, str]) -> ServerError | Overloaded:
        if status == 429:
            return Overloaded(_pause(headers))
        if status in (401, 403):
            return ServerError(f"refuses the key (HTTP {status}): check RECOLOR_REMOTE_API_KEY", passing=False)
        if status == 404:
            return ServerError(
                f"knows no model {self._model} (HTTP 404): check RECOLOR_REMOTE_MODEL and RECOLOR_REMOTE_BASE_URL",
                passing=False,
            )
        if 400 <= status < 500 and status != 408:
            return ServerError(f"refuses the prompts (HTTP {status})", passing=False)
        return ServerError(f"failed (HTTP {status})")

    def _read(self, content: bytes, prompts: int) -> list[Written]:
        try:
            body = _Body.model_validate_json(content)
        except ValidationError:
            raise ServerError("answered with something that is no completion") from None
        if body.model != self._model:
            raise ServerError(f"has another model than {self._model}: check RECOLOR_REMOTE_MODEL", passing=False)
        written = sorted(body.choices, key=lambda each: each.index)
        if [each.index for each in written] != list(range(prompts)):
            raise ServerError("did not answer every prompt once")
        return written


def _pause(headers: Mapping[str, str]) -> int:
    """Whole seconds that a caller is told to wait."""
    try:
        return math.ceil(min(max(float(headers.get("retry-after", "")), 1), LONGEST_PAUSE_SECONDS))
    except ValueError:
        return 1
