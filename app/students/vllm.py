"""Decoder-only students under vLLM, whose engine runs beside the service."""

from app.students.concurrent import ConcurrentStudent
from app.students.vllm_engine import Birth, VLLMEngine


class VLLMStudent(ConcurrentStudent):
    """A `Student` by vLLM. Its start raises ModelStoreError, EngineError, and what vLLM raises."""

    async def _engine_anew(self) -> VLLMEngine:
        return await Birth(self._settings).engine()
