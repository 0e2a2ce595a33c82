"""How kernels are started: warm, and in the lab so that what they write below Python goes to the log file.

And how they are looked after: the lab sees within a second that one has ended, and says why (`deaths.py`).
"""

import os
from functools import cache
from typing import Any

from jupyter_client.ioloop.restarter import AsyncIOLoopKernelRestarter
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from firstlight.lab import deaths, snapshots
from firstlight.lab.home import log_file
from firstlight.lab.keeping import DEATH, SETTING
from firstlight.lab.lastwords import path_beside

deaths.offers.append(snapshots.offer)


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


class Restarter(AsyncIOLoopKernelRestarter):  # type: ignore[misc]  # jupyter_client is read without its types
    """Starts a kernel again that has ended, and says before why it has."""

    _witness: deaths.Witness | None = None

    async def poll(self) -> None:
        """See whether the kernel is there; each second."""
        try:
            await self._look()
        except Exception:
            self.log.exception("could not say why a kernel ended")
        await super().poll()

    async def _look(self) -> None:
        manager = self.kernel_manager
        process = getattr(manager.provisioner, "process", None)
        if process is None or manager.shutting_down:
            return
        if self._witness is None or self._witness.pid != process.pid:
            self._witness = deaths.Witness(manager.kernel_id, process.pid, path_beside(manager.connection_file))
        if await manager.is_alive():
            self._witness.look()
            return
        death = self._witness.tell(process.poll())
        self._witness = None
        self.log.warning("a kernel ended (%s): exit code %s", death.cause, death.code)
        keeper = manager.parent.parent.web_app.settings.get(SETTING)
        if keeper is not None:
            await keeper.died(manager.kernel_id, deaths.bundle(death, DEATH), death.cell)


class QuietKernelManager(WarmKernelManager):
    """A warm kernel whose own messages, tracebacks of an interrupted start for one, go to the log file.

    What a cell prints is not among them: it reaches the notebook.
    """

    restarter_class = Restarter

    async def start_kernel(self, **kwargs: Any) -> Any:
        """Start the kernel; a restart comes with the same arguments."""
        return await super().start_kernel(**{"stdout": _log(), "stderr": _log(), **kwargs})

    async def restart_kernel(self, *args: Any, **kwargs: Any) -> Any:
        """Start it anew: asked for by the person, or after it has ended."""
        found = await super().restart_kernel(*args, **kwargs)
        if keeper := self.parent.parent.web_app.settings.get(SETTING):
            keeper.restarted(self)
        return found


@cache
def _log() -> int:
    """Open for as long as the lab runs, for kernels that start later."""
    return os.open(log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
