"""Files that are whole or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A file beside the target to write to, which takes its place at the end; after an error it is gone.

    What was at the target before stays until then. Raises OSError where the target cannot be replaced.
    """
    file = target.with_name(f".{target.name}.part")
    try:
        yield file
        file.replace(target)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
