"""The service as a process of its own, with a scripted student: ``python -m tests.api.process``.

Settings come from the environment as usual; ``STUDENT`` says what loading it does, and ``GATE`` names the file
that what is slow waits for.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from app.events import database, log
from app.main import serve
from app.settings import Settings
from app.students import Answer, Engine, EngineError, ModelStoreError, Prompt, load_engine
from tests.serving.engines import ScriptedEngine


class SlowEngine(ScriptedEngine):
    """Takes a second for what is slow, or until its gate is there, and breaks on what is broken."""

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        if any("slow" in prompt.intent for prompt in prompts):
            _wait()
        if any("broken" in prompt.intent for prompt in prompts):
            raise EngineError("broken")
        return super().generate(prompts)


def _wait() -> None:
    if "GATE" not in os.environ:
        time.sleep(1)
        return
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.01)


def load(settings: Settings) -> Engine:
    match os.environ.get("STUDENT"):
        case "damaged":
            raise ModelStoreError("model.safetensors is damaged; check it out again")
        case "broken":
            raise RuntimeError("out of memory")
        case "endless":
            time.sleep(600)
        case "stored":
            return load_engine(settings)
    # One look that it cannot read as a filter.
    return SlowEngine(model=settings.model, script={("in another script", "filter"): Answer(None)})


# The machine may be busy: events that are left when the service ends have the time that they need.
log.CLOSE_SECONDS = database.LOCKED_SECONDS = 60

if __name__ == "__main__":
    serve(Settings(), load)
