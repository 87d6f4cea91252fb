"""What is added to vLLM's workers, in their processes: they end with the service, whatever ends it.

A service that is killed cannot end anything any more; an engine left behind would keep its GPU from the next one.
"""

import os
import select
import signal
import threading
from contextlib import suppress


class Tied:
    """vLLM mixes this class into its worker's."""

    def end_with(self, service: int) -> None:
        """Kill this process as soon as the service's is gone; vLLM then ends those that depend on it."""
        threading.Thread(target=_end_with, args=(service,), daemon=True).start()


def _end_with(service: int) -> None:
    with suppress(ProcessLookupError):
        select.select([os.pidfd_open(service)], [], [])
    os.kill(os.getpid(), signal.SIGKILL)
