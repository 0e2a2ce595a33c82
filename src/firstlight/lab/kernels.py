"""How kernels are started: warm, and in the lab so that what they write below Python goes to the log file."""

import os
from functools import cache
from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from firstlight.lab.home import log_file


class WarmKernelManager(ServerKernelManager):  # type: ignore[misc]  # jupyter_server is read without its types
    """A Python kernel that loads what takes seconds before its first cell, also after a restart.

    It is told so on its command line. A message, as a page sends it, would come too late where all cells run at once.
    """

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command line that starts the kernel."""
        words = list(extra_arguments or ())
        if any("ipykernel" in word for word in self.kernel_spec.argv):
            words.append("--InteractiveShellApp.extra_extensions=firstlight.lab.warm")
        command: list[str] = super().format_kernel_cmd(extra_arguments=words)
        return command


class QuietKernelManager(WarmKernelManager):
    """A warm kernel whose own messages, tracebacks of an interrupted start for one, go to the log file.

    What a cell prints is not among them: it reaches the notebook.
    """

    async def start_kernel(self, **kwargs: Any) -> Any:
        """Start the kernel; a restart comes with the same arguments."""
        return await super().start_kernel(**{"stdout": _log(), "stderr": _log(), **kwargs})


@cache
def _log() -> int:
    """Open for as long as the lab runs, for kernels that start later."""
    return os.open(log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
