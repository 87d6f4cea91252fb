"""Stages of a run: each has a folder of its own, and is finished when its result lies there, whole.

    RUN/train-0/result.json     {"inputs": {...}, "seconds": 81.2, "result": {...}}

A finished stage is kept as long as its inputs are the same. What is half done is never taken for a result: that is
written last, in one piece.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from app.distill.dataset import DatasetError
from app.distill.whole import write_whole

RESULT = "result.json"

Result = dict[str, Any]
"""JSON-ready."""


class Stages:
    """The stages of the run in a folder; `say` is told what becomes of each. `results` are those of `do` so far."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self._say = folder, say
        self.results: dict[str, Result] = {}

    def forget(self, names: Sequence[str]) -> None:
        """Remove stages, finished or not, with all that they have written."""
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def do(
        self,
        name: str,
        inputs: Mapping[str, Any],
        work: Callable[[Path], Result],
        *,
        dear: bool = False,
        last: Collection[str] = (),
    ) -> Result:
        """The result of a stage, from its file, or by doing it in its folder.

        Made from other inputs it is done anew, or, where it is `dear`, refused; where nothing but inputs that are
        needed `last` differs, it goes on from what lies in its folder. Raises DatasetError, also where its files
        cannot be written.
        """
        folder = self.folder / name
        inputs = json.loads(json.dumps(inputs))
        done = _read(folder / RESULT)
        spent = 0.0
        if done is not None:
            changed = sorted(
                key for key in inputs.keys() | done["inputs"].keys() if _differ(key, inputs, done["inputs"])
            )
            if not changed:
                self._say(f"{name}: kept")
                self.results[name] = done["result"]
                return self.results[name]
            if finish := set(changed) <= set(last):
                spent = done["seconds"]
            elif dear:
                raise DatasetError(
                    f"{folder} was made with another {', '.join(changed)}; --from {name} makes it anew, another "
                    "--folder keeps it"
                )
            self._say(f"{name}: {'finished again' if finish else 'made anew'}, with another {', '.join(changed)}")
            if finish:
                (folder / RESULT).unlink()
            else:
                shutil.rmtree(folder)
        else:
            self._say(name)
        begun = time.monotonic()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            result = work(folder)
            whole = {"inputs": inputs, "seconds": round(spent + time.monotonic() - begun, 1), "result": result}
            write_whole(folder / RESULT, json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        except (OSError, SafetensorError) as error:
            said = f"{error.filename or folder}: {error.strerror}" if isinstance(error, OSError) else str(error)
            raise DatasetError(
                f"stage {name} cannot be finished: {said}; what is finished is kept, and the same command goes on"
            ) from error
        self.results[name] = result
        return result

    def seconds(self, name: str) -> float:
        """How long a finished stage took, when it was last begun."""
        return float((_read(self.folder / name / RESULT) or {"seconds": 0})["seconds"])


def fingerprint(result: Result) -> str:
    """What a later stage notes of an earlier one's result."""
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()[:16]


def _differ(key: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return key not in one or key not in other or one[key] != other[key]


def _read(file: Path) -> Result | None:
    """A finished stage's file, None where there is none. Raises DatasetError for one that somebody has damaged."""
    try:
        done = json.loads(file.read_text(encoding="utf-8"))
        return {"inputs": dict(done["inputs"]), "seconds": float(done["seconds"]), "result": dict(done["result"])}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{file} cannot be read ({error}); remove it to have its stage done again") from None
