"""The files of the checkout: what is committed, and what would be."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(under: str = ".") -> list[Path]:
    """Every file that git tracks or does not ignore, without those that are deleted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", under],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def megabytes(listed: list[Path]) -> float:
    """Their size together, in units of a million bytes."""
    return sum(file.stat().st_size for file in listed) / 1e6


def text_of(file: Path) -> str | None:
    """What the file says; None where it is not text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
