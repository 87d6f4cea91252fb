"""The processes of a distributed run: ``accelerate launch`` starts one a GPU, and tells each which it is."""

import os


def is_first() -> bool:
    """Whether this process validates, reports and releases; true where there is only one."""
    return os.environ.get("RANK", "0") == "0"


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
