"""What runs inside the Jupyter Server: `/firstlight/api/health` and `.../doors`, and the session of a notebook.

The wheel turns it on for every Jupyter Server of the environment, so that it is there under `jupyter lab` and
JupyterHub too. Only the health answer is on by default:

    c.FirstlightExtension.notebook = "first_pytorch_classifier.ipynb"   # its session is there before the page asks
"""

import asyncio
import json
import os
from dataclasses import asdict
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated
from traitlets import Bool, Unicode
from traitlets.config import LoggingConfigurable

from firstlight import __version__
from firstlight.lab.audit import DOORS, NOBODY, doors
from firstlight.lab.running import HEALTH
from firstlight.locale import _

KERNEL_EVENTS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"
READY_S = 60


class FirstlightExtension(LoggingConfigurable):  # type: ignore[misc]  # traitlets is read without its types
    """Opens a notebook's session and knows how its kernel fares."""

    notebook = Unicode(help="Open this notebook's session, and so its kernel, when the server starts.").tag(config=True)
    key = Unicode(help="Which of our labs this is.").tag(config=True)
    keep = Bool(False, help="Know what cells print while no page is there; needs our lab's settings.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel = "none"  # then "starting", "ready", or "failed"
        self.reason = ""

    async def open_session(self) -> None:
        """Open the notebook's session; the page finds it under the notebook's path and joins it."""
        if not self.notebook:
            return
        self.kernel = "starting"
        try:
            await self.parent.session_manager.create_session(
                path=self.notebook, name=self.notebook, type="notebook", kernel_name="python3"
            )
        except Exception as error:  # noqa: BLE001  of many packages, and none may end the lab
            self._failed(f"{type(error).__name__}: {error}")

    async def on_kernel_event(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:  # noqa: ARG002  called by name
        """A kernel was started, or restarted: by the page, or by the server after it had died."""
        if data["action"] in ("start", "restart") and data["status"] == "success":
            await self._greet(data["kernel_id"])

    async def _greet(self, kernel_id: str) -> None:
        kernels = self.parent.kernel_manager
        for _wait in range(100):  # the event comes a moment before the kernel is entered in the list
            if kernel_id in kernels:
                break
            await asyncio.sleep(0.02)
        else:
            return  # stopped again at once
        kernel = kernels.get_kernel(kernel_id)
        client = kernel.client()
        client.start_channels()
        try:
            if await self._ready(kernel, client):
                self.kernel, self.reason = "ready", ""
            elif kernel_id in kernels:  # not stopped by the person in the meantime
                self._failed(_("its process ended, or said nothing for {seconds} seconds.", seconds=READY_S))
        except Exception as error:  # noqa: BLE001  of many packages, and none may end the lab
            self._failed(f"{type(error).__name__}: {error}")
        finally:
            client.stop_channels()

    async def _ready(self, kernel: Any, client: Any) -> bool:
        """Wait for the kernel's first answer, as long as its process is there."""
        for _second in range(READY_S):
            try:
                await client.wait_for_ready(timeout=1)
            except RuntimeError:  # not yet, or never
                if not await kernel.is_alive():
                    return False
            else:
                return True
        return False

    def _failed(self, reason: str) -> None:
        self.kernel, self.reason = "failed", reason
        self.log.warning("the notebook's Python did not start: %s", reason)


class HealthHandler(APIHandler):  # type: ignore[misc]  # jupyter_server is read without its types
    """Says who this is, to those who have the token."""

    @authenticated  # type: ignore[untyped-decorator]  # tornado is read without its types
    def get(self) -> None:
        """The lab's name, version, process, language and the state of its first kernel."""
        extension: FirstlightExtension = self.settings["firstlight"]
        self.finish(
            json.dumps(
                {
                    "ok": extension.kernel != "failed",
                    "lab": extension.key,
                    "version": __version__,
                    "pid": os.getpid(),
                    "lang": os.environ.get("FIRSTLIGHT_LANG", ""),
                    "notebook": extension.notebook,
                    "kernel": extension.kernel,
                    "reason": extension.reason,
                }
            )
        )


class DoorsHandler(APIHandler):  # type: ignore[misc]  # jupyter_server is read without its types
    """Names every route of this server, to those who have the token: `firstlight lab --audit` tries each."""

    @authenticated  # type: ignore[untyped-decorator]  # tornado is read without its types
    def get(self) -> None:
        """The routes, as `firstlight.lab.audit.Door`."""
        extension: FirstlightExtension = self.settings["firstlight"]
        kernels = [*self.kernel_manager.list_kernel_ids()]
        notebook = extension.notebook or "notebook.ipynb"
        real = {
            "kernel_id": [NOBODY, *kernels],
            "path": [f"/{notebook}"],
            "(.*)": [notebook],
            "kernel_name": ["python3"],
        }
        self.finish(json.dumps([asdict(door) for door in doors(self.application, {**real, "format": ["html"]})]))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "firstlight.lab.extension"}]


def _load_jupyter_server_extension(server: Any) -> None:
    extension = FirstlightExtension(parent=server)
    server.web_app.settings["firstlight"] = extension
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(
        ".*$", [(url_path_join(base, HEALTH), HealthHandler), (url_path_join(base, DOORS), DoorsHandler)]
    )
    if extension.notebook:
        server.event_logger.add_listener(schema_id=KERNEL_EVENTS, listener=extension.on_kernel_event)
    if extension.keep:
        from firstlight.lab import keeping

        pattern, handler = keeping.ROUTE
        server.web_app.settings[keeping.SETTING] = keeping.Keeper(server)
        server.web_app.add_handlers(".*$", [(url_path_join(server.web_app.settings["base_url"], pattern), handler)])


async def _start_jupyter_server_extension(server: Any) -> None:
    extension: FirstlightExtension = server.web_app.settings["firstlight"]
    if extension.keep:
        from firstlight.lab.keeping import SETTING

        server.web_app.settings[SETTING].start()
    await extension.open_session()
