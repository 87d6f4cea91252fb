"""The processes below a process, from Linux' own list."""

import os
from pathlib import Path


def below(pid: int) -> dict[int, str]:
    """Every process that `pid` has started, directly or not, with its command line."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found[child] = _command(child)
            found |= below(child)
    return found


def engines(pid: int) -> list[int]:
    """The processes of vLLM's engine below a process."""
    return [child for child, command in below(pid).items() if "spawn_main" in command or "EngineCore" in command]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def watches_a_process(pid: int) -> bool:
    return "anon_inode:[pidfd]" in (os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir())


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
