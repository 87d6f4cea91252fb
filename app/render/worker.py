"""The program of one worker process: photos in on standard input, rendered photos out on standard output.

Started by `process`, and spoken to in messages: a line of JSON, whose ``length`` says how many bytes follow it.
It ends when its input does.
"""

import json
import math
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from app.grade import Grade
from app.render.photo import PhotoError, PhotoLimits, render_photo

FIRST_TO_GO = "1000"
"""Linux ends this process before any other of the machine when memory runs out."""

GRACE_SECONDS = 5
"""After which a worker ends itself that nobody ended in time: whoever started it is gone."""

Head = dict[str, Any]


def main() -> None:
    # What a library prints must not get between the messages.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _step_back()
    send(output, {"ready": True})
    while message := receive(sys.stdin.buffer):
        head, data = message
        signal.alarm(math.ceil(head["seconds"]) + GRACE_SECONDS)
        answer, content = _answer(head, data)
        signal.alarm(0)
        send(output, answer, content)


def send(stream: IO[bytes], head: Head, data: bytes = b"") -> None:
    """Raises OSError where nobody reads any more."""
    stream.write(json.dumps(head | {"length": len(data)}).encode() + b"\n")
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Head, bytes] | None:
    """The next message; None where there is none, or not a whole one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    data = stream.read(head["length"])
    return (head, data) if len(data) == head["length"] else None


def _step_back() -> None:
    """Leave memory to the service; ignore signals that are meant for it, and that it acts on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")


def _answer(head: Head, data: bytes) -> tuple[Head, bytes]:
    try:
        limits = PhotoLimits(**head["limits"])
        rendered = render_photo(data, Grade.parse(head["grade"]), head["strength"], limits, head["format"])
    except PhotoError as error:
        return {"refused": error.reason, "message": str(error)}, b""
    except MemoryError:
        return {"refused": "too_large", "message": "The photo is too large for this machine; make it smaller."}, b""
    except Exception as error:  # noqa: BLE001 - told to the service, which logs it
        frames = traceback.extract_tb(error.__traceback__)
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return {"failed": type(error).__name__, "frames": where}, b""
    return {"media_type": rendered.media_type, "size": rendered.size}, rendered.data
