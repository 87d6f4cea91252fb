"""A real HTTP server that speaks the OpenAI protocol of completions, of chats and others, and answers as it is told.

    with OpenAIServer() as server:
        server.reply("filter", Say.settings({"name": "winter", "intensity": 70}))
        server.reply(lambda call: call.intent == "noir", Fail(429, retry_after="0.1"), Say("TOOL: No."))
        teacher = Teacher(Settings(teacher_base_url=server.base_url, teacher_api_key=server.key, ...))
        ...
        assert [call.tool for call in server.calls] == ["filter"]

It runs in a thread of its own on a free port of the loopback interface. A call that no `reply` is meant for gets a
400, which the teacher does not retry.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from app.grade import TOOLS
from app.prompts.teacher import system_prompt

KEY = "sk-local-3fB7kQ9xT2mVw8"


@dataclass
class Call:
    """One request as it came in. `tool` is None where the prompt is not one of the teacher's."""

    tool: str | None
    intent: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Set when the client hung up before it had its answer."""


class Behaviour(Protocol):
    """What is done with one call."""

    delay: float
    """Seconds before anything is sent."""

    def response(self, call: Call) -> Response: ...


@dataclass(frozen=True)
class Say:
    """A well-formed chat completion with this text."""

    text: str | None
    delay: float = 0.0
    finish_reason: str = "stop"
    usage: Mapping[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 900, "completion_tokens": 150, "total_tokens": 1050}
    )

    @classmethod
    def settings(cls, settings: Mapping[str, Any], delay: float = 0.0) -> Self:
        """A good answer: a paragraph of reasoning and the settings as JSON."""
        return cls(f"TOOL: Yes. The look asks for it.\nJSON: {json.dumps(settings)}", delay)

    def response(self, call: Call) -> Response:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.text},
            "finish_reason": self.finish_reason,
        }
        return JSONResponse(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": call.body.get("model"),
                "choices": [choice],
                "usage": self.usage,
            }
        )


@dataclass(frozen=True)
class Fail:
    """An error in the protocol's shape."""

    status: int
    message: str = "scripted error"
    retry_after: str | None = None
    delay: float = 0.0

    def response(self, call: Call) -> Response:
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return JSONResponse({"error": {"message": self.message}}, self.status, headers)


@dataclass(frozen=True)
class Body:
    """Status 200 and any bytes at all, as from a proxy that answers in the server's place."""

    content: bytes
    media_type: str = "application/json"
    delay: float = 0.0

    def response(self, call: Call) -> Response:
        return Response(self.content, media_type=self.media_type)


@dataclass(frozen=True)
class Drop:
    """The connection ends in the middle of the answer."""

    delay: float = 0.0

    def response(self, call: Call) -> Response:
        return _HalfAResponse()


class _HalfAResponse(Response):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"choices": [{"message": {"con', "more_body": True})
        # Returning here makes uvicorn close the connection.


class _Script:
    """Behaviours for some of the calls, in order; the last one is kept."""

    def __init__(self, meant_for: str | Callable[[Call], bool], behaviours: tuple[Behaviour, ...]) -> None:
        self._meant_for, self._behaviours = meant_for, list(behaviours)

    def matches(self, call: Call) -> bool:
        return call.tool == self._meant_for if isinstance(self._meant_for, str) else self._meant_for(call)

    def next(self) -> Behaviour:
        return self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]


class OpenAIServer:
    """The server, running between ``__enter__`` and ``__exit__``.

    Attributes:
        base_url: what a client is given, e.g. ``http://127.0.0.1:40123/v1``.
        key: the only key that is let in. Another one gets a 401 that quotes it in full.
        calls: every call that was let in, in order.
        most_at_once: the largest number of calls that were being answered at the same time.
        gate: while it is not set, no call is answered.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.calls: list[Call] = []
        self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self._at_once = 0
        self._scripts: list[_Script] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def reply(self, meant_for: str | Callable[[Call], bool], *behaviours: Behaviour) -> None:
        """Answer calls about a tool, or calls for which `meant_for` is true, with `behaviours` in order.

        The last behaviour is repeated for all further calls. The latest `reply` that matches a call counts.
        """
        self._scripts.insert(0, _Script(meant_for, behaviours))

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.should_exit = True
        self._thread.join()

    def _app(self) -> FastAPI:
        app = FastAPI()
        for path in ("/v1/chat/completions", "/v1/completions"):
            app.post(path, response_model=None)(self._complete)
        return app

    async def _complete(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.key:
            return Fail(401, f"Incorrect API key provided: {given}").response(_call({}, request.headers))
        call = _call(await request.json(), request.headers)
        self.calls.append(call)
        script = next((script for script in self._scripts if script.matches(call)), None)
        behaviour = script.next() if script else Fail(400, "no reply is scripted for this call")
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if await _hangs_up(request, behaviour.delay):
                call.abandoned.set()
            while not self.gate.is_set():  # noqa: ASYNC110 - a test's thread sets it
                await asyncio.sleep(0.005)
            return behaviour.response(call)
        finally:
            self._at_once -= 1


def _call(body: dict[str, Any], headers: Mapping[str, str]) -> Call:
    said = {message["role"]: message["content"] for message in body.get("messages", ())}
    tool = next((tool for tool in TOOLS if system_prompt(tool) == said.get("system")), None)
    return Call(tool, said.get("user", ""), body, dict(headers))


async def _hangs_up(request: Request, seconds: float) -> bool:
    """Wait, but not for longer than the client does."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return True
    except TimeoutError:
        return False
