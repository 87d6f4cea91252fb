"""Events on disk: none is lost or read twice, whoever dies, and the disk never holds more than it may."""

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.events.spool import Spool
from tests.events.helpers import full_disk

ROOM = 65_536


def lines(*numbers: int) -> list[bytes]:
    return [b'{"number": %d}' % number for number in numbers]


def everything(spool: Spool) -> list[bytes]:
    """All that waits, delivered."""
    found: list[bytes] = []
    while batch := spool.read():
        found += batch.lines
        spool.delivered(batch)
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.jsonl"))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path, ROOM)
    opened.open()
    yield opened
    opened.close()


def test_what_is_appended_is_read_in_order(spool: Spool) -> None:
    spool.append(lines(1, 2))
    spool.append(lines(3))
    assert spool.waiting == 3
    assert everything(spool) == lines(1, 2, 3)
    assert (spool.waiting, spool.read()) == (0, None)
    spool.append(lines(4))
    assert everything(spool) == lines(4)


def test_what_is_not_delivered_is_read_again(spool: Spool) -> None:
    spool.append(lines(1))
    first = spool.read()
    spool.append(lines(2))
    again = spool.read()
    assert first
    assert again
    assert (first.lines, again.lines) == (lines(1), lines(1, 2))
    spool.delivered(first)
    assert everything(spool) == lines(2)


def test_files_are_deleted_when_they_are_full_and_delivered(spool: Spool, tmp_path: Path) -> None:
    long = [b"x" * 3000]
    for _ in range(12):
        spool.append(long)
    assert len(files(tmp_path)) == 4, "each is full with an eighth of the room"
    assert everything(spool) == long * 12
    assert len(files(tmp_path)) == 1


def test_it_is_full_when_its_room_is_used_up_until_something_is_delivered(spool: Spool) -> None:
    while not spool.full:
        spool.append([b"x" * 999])
    assert spool.waiting == 66
    batch = spool.read()
    assert batch
    spool.delivered(batch)
    assert not spool.full


def test_nothing_is_left_behind_where_everything_is_delivered(spool: Spool, tmp_path: Path) -> None:
    spool.append(lines(1))
    everything(spool)
    spool.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new", ROOM)
    spool.append(lines(1))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in files(tmp_path / "new")] == [0o600]
    spool.close()


# After another process


def test_what_a_process_leaves_is_delivered_by_the_next_before_its_own(tmp_path: Path) -> None:
    first = Spool(tmp_path, ROOM)
    first.append(lines(1, 2))
    first.close()
    second = Spool(tmp_path, ROOM)
    second.open()
    second.append(lines(3))
    assert second.waiting == 3
    assert everything(second) == lines(1, 2, 3)
    second.close()
    assert files(tmp_path) == []


def test_a_process_that_lives_is_left_alone(spool: Spool, tmp_path: Path) -> None:
    spool.append(lines(1))
    other = Spool(tmp_path, ROOM)
    other.append(lines(2))
    assert everything(other) == lines(2)
    assert everything(spool) == lines(1)
    other.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from app.events.spool import Spool
spool = Spool(Path(sys.argv[1]), 65536)
spool.append([b'{"number": 1}', b'{"number": 2}'])
next(Path(sys.argv[1]).glob("*/*.jsonl")).open("ab").write(b'{"num')
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_its_lines_and_the_half_of_one_is_left_out(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    spool = Spool(tmp_path, ROOM)
    spool.open()
    assert everything(spool) == lines(1, 2)
    spool.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_many_processes_may_start_at_once(tmp_path: Path) -> None:
    """Each takes what it finds and leaves it to the next: all of it arrives exactly once."""
    for number in range(3):
        dead = Spool(tmp_path, ROOM)
        dead.append(lines(number))
        dead.close()
    program = (
        "import sys; from pathlib import Path; from app.events.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), 65536); spool.open()\n"
        "while batch := spool.read(): print(*batch.lines, sep='\\n', file=sys.stderr); spool.delivered(batch)\n"
        "spool.close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **streams) for _ in range(3)]
    printed = [line for process in running for line in process.communicate()[1].splitlines()]
    assert sorted(printed) == sorted(str(line) for line in lines(0, 1, 2))


# A bad disk


def test_a_full_disk_is_an_error_and_half_a_line_is_taken_back(spool: Spool) -> None:
    spool.append(lines(1))
    with full_disk(after=40), pytest.raises(OSError, match="too large"):
        spool.append(lines(2, 3, 4))
    spool.append(lines(5))
    assert everything(spool) == lines(1, 5)


def test_a_disk_that_stays_full_is_not_littered(spool: Spool, tmp_path: Path) -> None:
    with full_disk():
        for _ in range(3):
            with pytest.raises(OSError, match="too large"):
                spool.append(lines(1))
    assert files(tmp_path) == []


def test_a_folder_that_was_deleted_is_made_anew(spool: Spool, tmp_path: Path) -> None:
    spool.append(lines(1))
    for file in [*files(tmp_path), *tmp_path.glob("*/lock")]:
        file.unlink()
    for folder in tmp_path.glob("*/"):
        folder.rmdir()
    assert spool.read() is None
    spool.append(lines(2))
    assert everything(spool) == lines(2)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Spool(tmp_path / "file" / "spool", ROOM).append(lines(1))
