"""How the lab starts kernels: what they write below Python goes to the log file, not over the learner's terminal."""

import os
from functools import cache
from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from firstlight.lab.home import log_file


class QuietKernelManager(ServerKernelManager):  # type: ignore[misc]  # jupyter_server is read without its types
    """A kernel whose own messages, tracebacks of an interrupted start for one, go to the log file.

    What a cell prints is not among them: it reaches the notebook.
    """

    async def start_kernel(self, **kwargs: Any) -> Any:
        """Start the kernel; a restart comes with the same arguments."""
        return await super().start_kernel(**{"stdout": _log(), "stderr": _log(), **kwargs})


@cache
def _log() -> int:
    """Open for as long as the lab runs, for kernels that start later."""
    return os.open(log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
