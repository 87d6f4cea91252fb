"""The processes below a process, from Linux' own list."""

import os
from pathlib import Path


def below(pid: int) -> dict[int, str]:
    """Every process that `pid` has started, directly or not, with its command line."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, _read(task).split()):
            found[child] = _read(Path(f"/proc/{child}/cmdline")).replace("\0", " ")
            found |= below(child)
    return found


def engines(pid: int) -> list[int]:
    """The processes of vLLM's engine below a process."""
    return [child for child, command in below(pid).items() if "spawn_main" in command or "EngineCore" in command]


def alive(pid: int) -> bool:
    status = _read(Path(f"/proc/{pid}/status"))
    return bool(status) and "\nState:\tZ" not in status


def watches_a_process(pid: int) -> bool:
    return "anon_inode:[pidfd]" in (os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir())


def _read(file: Path) -> str:
    """Empty where the process or its thread is gone."""
    try:
        return file.read_text()
    except OSError:
        return ""
