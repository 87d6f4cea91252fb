"""One vLLM engine, from birth to death. It is a process of its own (on several GPUs, several), spawned by this one."""

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from app.grade import TOOLS
from app.settings import Settings
from app.students.concurrent import WARM_UP
from app.students.protocol import Answer, EngineError, Prompt
from app.students.store import ModelStore, ModelStoreError
from app.students.vllm_options import INSTALL, engine_arguments, environment, lora_request, sampling, told

if TYPE_CHECKING:  # torch comes with it, for which the service does not wait before it listens
    from app.students.dialogue import Dialogue

CLOSE_SECONDS = 3.0
"""What a process of the engine gets to end by itself before it is killed."""


class VLLMEngine:
    """An engine that runs. Belongs to one event loop."""

    def __init__(self, engine: Any, dialogue: "Dialogue", lora: Any) -> None:
        self.codec, self.decoding = dialogue.codec, dialogue.decoding
        self._engine, self._dialogue, self._lora = engine, dialogue, lora
        self._sampling = {tool: sampling(dialogue.bounds(tool)) for tool in TOOLS}
        self._numbers = count(1)
        self._closing: asyncio.Future[None] | None = None

    @property
    def dead(self) -> bool:
        return self._engine is None or bool(self._engine.errored)

    async def begin(self) -> None:
        """Tie its processes to this one, and let it answer once. Raises EngineError."""
        try:
            await self._engine.collective_rpc("end_with", args=(os.getpid(),))
        except Exception as error:
            raise EngineError(f"{type(error).__name__}: {told(error)}") from error
        await self.generate(WARM_UP)

    async def generate(self, prompts: Sequence[Prompt]) -> tuple[list[Answer], float]:
        """One answer a prompt, in order, and the seconds until the engine took the last of them up.

        All of them enter the engine together. When this is cancelled the engine drops them. Raises EngineError.
        """
        read = [self._dialogue.prompt(prompt) for prompt in prompts]
        try:
            async with asyncio.TaskGroup() as group:
                asked = [
                    None if ids is None else group.create_task(self._write(ids, prompt.tool))
                    for ids, prompt in zip(read, prompts, strict=True)
                ]
        except ExceptionGroup as errors:
            raise EngineError(str(errors.exceptions[0])) from errors
        written = [None if task is None else task.result() for task in asked]
        answers = [Answer(None) if each is None else each[0] for each in written]
        return answers, max((each[1] for each in written if each is not None), default=0.0)

    async def close(self) -> None:
        """End its processes, whatever state they are in."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().run_in_executor(None, self._engine.shutdown, CLOSE_SECONDS)
        await asyncio.shield(self._closing)
        # It would close itself again when the interpreter ends, and fail.
        self._engine = None

    async def _write(self, prompt: list[int], tool: str) -> tuple[Answer, float]:
        outputs = self._engine.generate(
            {"type": "token", "prompt_token_ids": prompt},
            self._sampling[tool],
            str(next(self._numbers)),
            lora_request=self._lora,
        )
        try:
            async for output in outputs:
                last = output
        except Exception as error:
            raise EngineError(f"{type(error).__name__}: {told(error)}") from error
        answer, times = last.outputs[0], last.metrics
        if answer.finish_reason not in {"stop", "length"}:
            raise EngineError(f"vLLM ended an answer for the reason '{answer.finish_reason}'")
        queued = max(0.0, times.scheduled_ts - times.queued_ts) if times is not None else 0.0
        return self._dialogue.answer(answer.token_ids, answer.finish_reason == "length"), queued


class Birth:
    """Starts one engine, which takes half a minute and more, on a thread; it can be called off from another."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._called_off = threading.Event()
        self._others = {process.pid for process in multiprocessing.active_children()}

    async def engine(self) -> VLLMEngine:
        """Raises ModelStoreError, and whatever vLLM raises. Cancelled, it leaves no process behind."""
        begun = asyncio.get_running_loop().run_in_executor(None, self._begin)
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            self._call_off()
            await asyncio.wait([begun])
            if begun.exception() is None:
                await begun.result().close()
            raise

    def _begin(self) -> VLLMEngine:
        store = ModelStore(self._settings.model_store)
        stored = store.find(self._settings.model)
        with environment(self._settings):
            from app.students.dialogue import Dialogue

            try:
                from vllm.engine.arg_utils import AsyncEngineArgs
                from vllm.v1.engine.async_llm import AsyncLLM
            except ImportError as error:
                raise ModelStoreError(f"RECOLOR_BACKEND=vllm needs vLLM ({error}). {INSTALL}") from None
            dialogue = Dialogue(stored, self._settings.decoding)
            arguments = engine_arguments(self._settings, stored, store, dialogue)
            if self._called_off.is_set():
                raise EngineError("called off")
            try:
                # Kept by no variable of this frame: vLLM remembers the frame, and nothing would ever be let go.
                return VLLMEngine(
                    AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments)), dialogue, lora_request(stored)
                )
            except (ValueError, ImportError) as error:  # arguments that do not go together, a library that is missing
                raise ModelStoreError(f"vLLM refuses {stored.manifest.model}: {told(error)}") from error

    def _call_off(self) -> None:
        self._called_off.set()
        for process in multiprocessing.active_children():
            if process.pid not in self._others:
                process.kill()
