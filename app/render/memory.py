"""Memory for large arrays that come and go."""

from functools import cache

import numpy as np

_LARGEST = 31 << 20  # bytes; from 32 MiB on, nothing is learned


@cache
def reuse_memory() -> None:
    """Let the C library keep the memory of arrays that are freed, instead of giving it back to the system.

    What is given back comes again page by page, each of them cleared first: that takes longer than most of what is
    computed on it. glibc learns from the largest block that was ever freed (mallopt(3), "Dynamic mmap threshold"); here
    it is shown one, which is never written to. Other C libraries do not mind. Up to 62 MiB may be kept.
    """
    np.empty(_LARGEST, np.uint8)
