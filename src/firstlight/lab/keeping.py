"""What cells print is kept by the server too, so that a page that is closed misses nothing.

A page of JupyterLab that is closed forgets what its running cells print, and a page that is opened meanwhile never
hears of them. So the server listens to each kernel as a page does and knows of every cell what it has printed so far.
Where a notebook is read while more is known than stands in its file, that is added to what is read (`saving.py`); and a
page that joins a running kernel asks for the cells that run (`OutputsHandler`) and follows them (`page/survive.js`).
The file itself is written by pages alone: a page that slept never finds it changed behind its back. While no page
saves, what is known lies in our own folder every few seconds, in case this process is ended too; and when the lab ends,
it is put into the notebooks.
"""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.session import Session
from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.web import authenticated

from firstlight.lab.home import home, write_json

SETTING = "firstlight_keeper"
TO_DISK_S = 1.5  # between two looks at what to keep
UNSAVED_S = 5.0  # a page that has not saved for so long may be gone, or stuck
STREAM_CHARACTERS = 4_000_000  # of what one cell prints, the last so many; no page could show more
KEPT_BYTES = 64_000_000  # of all outputs of a kernel; the oldest go first
UNDERWAY_S = 2.0  # the longest that what a kernel says is taken to be on its way to a page
KEPT_DAYS = 30  # what nobody came for, as of a notebook that was removed
HEARS_S = 5.0  # the longest that a page waits for its own line to the kernel before it is told
OUTPUTS = ("stream", "display_data", "execute_result", "error")
DEATH = "application/vnd.firstlight.death+json"


@dataclass
class Execution:
    """One run of one cell, as the server heard it."""

    cell: str
    header: dict[str, Any]  # of the request: what is said about it later names it as its parent
    state: str = "waiting"  # then "running", "done"
    count: int | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)
    newest: str = ""  # when the kernel said the last thing that is in here: the page drops what is older
    changed: float = 0.0
    in_file: bool = False  # whether the notebook holds all of it
    _clear: bool = False

    def add(self, message: dict[str, Any]) -> None:
        """Take in one message about this run, as JupyterLab would."""
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "execute_input":
            self.state, self.count = "running", content.get("execution_count")
        elif kind == "status" and content.get("execution_state") == "idle":
            self.state = "done"
        elif kind == "clear_output":
            self._clear = bool(content.get("wait"))
            if not self._clear:
                self.outputs.clear()
        elif kind in OUTPUTS:
            if self._clear:
                self.outputs.clear()
                self._clear = False
            self._append(kind, content)
        else:
            return
        self._change()

    def put(self, display: str, content: dict[str, Any]) -> None:
        """Replace what is shown in the place with this display id."""
        for output in self.outputs:
            if output.get("transient", {}).get("display_id") == display:
                output.update(data=content["data"], metadata=content["metadata"])
                self._change()

    def end(self) -> None:
        """The kernel has ended; as on a page, a cell that ran has no number then."""
        if self.state != "done":
            self.state, self.count = "done", None
            self._change()

    def note_saved(self, cell: dict[str, Any] | None, at: float, *, heard: bool = True) -> None:
        """A page has written its notebook: does it hold all that is known here?

        Args:
            cell: As the page has written it; None where it has been removed.
            at: When the page asked to save.
            heard: Whether some page hears the kernel. Only then has somebody cleared a cell that is empty.
        """
        # A page that slept, or whose network did, believes that the cell still runs: then its number is not there.
        cleared = cell is not None and not cell.get("outputs") and heard and at - self.changed > UNDERWAY_S
        behind = cell is not None and not cleared and cell.get("execution_count") != self.count
        if self.state == "done" and self.changed <= at and not behind:
            self.in_file = True

    def saved(self) -> list[dict[str, Any]]:
        """The outputs as they stand in a notebook's file."""
        return [{key: value for key, value in output.items() if key != "transient"} for output in self.outputs]

    def _change(self) -> None:
        self.changed, self.in_file = time.time(), False

    def _append(self, kind: str, content: dict[str, Any]) -> None:
        last = self.outputs[-1] if self.outputs else {}
        if kind == "stream" and last.get("name") == content["name"]:
            last["text"] = on_screen(last["text"], content["text"])[-STREAM_CHARACTERS:]
        elif kind == "stream":
            text = on_screen("", content["text"])[-STREAM_CHARACTERS:]
            self.outputs.append({"output_type": kind, "name": content["name"], "text": text})
        else:
            self.outputs.append({"output_type": kind, **content})
        if not len(self.outputs) % 64:
            self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        held = 0
        for at in range(len(self.outputs) - 1, -1, -1):
            held += len(str(self.outputs[at]))
            if held > KEPT_BYTES:
                del self.outputs[: at + 1]
                return


def on_screen(text: str, more: str) -> str:
    r"""What a terminal shows when more is written to it: a bar that draws itself over and over is one line.

    Example:
        >>> on_screen("a\n10%", "\r20%\r30%\nb")
        'a\n30%\nb'
    """
    if "\r" not in more and "\b" not in more and not text.endswith("\r"):
        return text + more
    head, newline, line = text.rpartition("\n")
    lines = (line + more).replace("\r\n", "\n").split("\n")
    return head + newline + "\n".join(_overwritten(one) for one in lines)


def _overwritten(line: str) -> str:
    pending = line.endswith("\r")  # what comes next writes over it
    shown = ""
    for part in line.removesuffix("\r").split("\r"):
        shown = part + shown[len(part) :]
    if "\b" in shown:
        letters: list[str] = []
        for letter in shown:
            if letter != "\b":
                letters.append(letter)
            elif letters:
                letters.pop()
        shown = "".join(letters)
    return shown + "\r" * pending


class Kept:
    """What is known of one kernel."""

    def __init__(self, manager: Any) -> None:
        self.executions: dict[str, Execution] = {}  # by message, in the order of the requests
        self.pages: dict[str, Connection] = {}  # by the name that each gives itself
        self.saved_at = 0.0  # when a page last wrote the notebook
        self.written = 0.0  # up to when it was last written to our own folder
        self.not_before = 0.0  # when it may be written there again
        self.death: dict[str, Any] | None = None  # the last, for pages to show
        self._reader = Session(key=manager.session.key)
        self.listen(manager)

    def listen(self, manager: Any) -> None:
        """Hear this kernel, where it speaks now."""
        self._port = manager.iopub_port
        self._stream = manager.connect_iopub()
        self._stream.on_recv(self._hear)

    def restarted(self, manager: Any) -> None:
        """The kernel was started anew: nothing runs any more, and what waited will never run."""
        for message, execution in list(self.executions.items()):
            if execution.state == "waiting":
                del self.executions[message]
            execution.end()
        if manager.iopub_port != self._port:  # one that ended while it began
            self.close()
            self.listen(manager)

    def ask(self, header: dict[str, Any], cell: str) -> None:
        """A page asked for a cell to be run."""
        for message, execution in list(self.executions.items()):
            if execution.cell == cell:
                del self.executions[message]
        self.executions[header["msg_id"]] = Execution(cell, header, changed=time.time())
        self._forget_the_oldest()

    def last(self, cell: str) -> Execution | None:
        """The cell that ran when the kernel ended.

        Args:
            cell: The kernel's own word. Without it, the first that is not known to have ended, else the last of all:
                what the kernel said at the very end may not have reached us.
        """
        known = list(self.executions.values())
        candidates = [one for one in known if one.cell == cell] or [one for one in known if one.state != "done"]
        return candidates[0] if candidates else known[-1] if known else None

    def news(self) -> list[Execution]:
        """What may not stand in the notebook's file yet."""
        return [one for one in self.executions.values() if not one.in_file]

    def newest(self) -> float:
        """When the last thing changed that may not stand there yet."""
        return max((one.changed for one in self.news()), default=0.0)

    def is_unsaved(self) -> bool:
        """Whether no page looks after the notebook, or none has got round to it lately."""
        return not self.pages or time.time() - self.saved_at > UNSAVED_S

    def flush(self) -> None:
        """Take in what the kernel said before it ended."""
        self._stream.flush()

    def close(self) -> None:
        """Listen no more."""
        if not self._stream.closed():
            self._stream.close()

    def _hear(self, frames: list[bytes]) -> None:
        if frames[0].startswith(b"comm"):  # the live view's: many, and no output
            return
        try:
            _names, rest = self._reader.feed_identities(frames)
            message = self._reader.deserialize(rest)
        except ValueError:  # a second copy, or not of this kernel
            return
        header, content = message["header"], message["content"]
        date = header["date"]
        if not isinstance(date, str):  # as the page will see it
            date = date.isoformat().replace("+00:00", "Z")
        if header["msg_type"] == "update_display_data":
            for execution in self.executions.values():
                execution.put(content.get("transient", {}).get("display_id", ""), content)
        if asked := self.executions.get(message["parent_header"].get("msg_id", "")):
            asked.add(message)
            asked.newest = date

    def _forget_the_oldest(self) -> None:
        held = 0
        for message, execution in reversed(list(self.executions.items())):
            held += sum(len(str(output)) for output in execution.outputs)
            if held > KEPT_BYTES and execution.state == "done":
                del self.executions[message]


class Keeper:
    """What is known of all kernels of one lab."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._kernels: dict[str, Kept] = {}
        self._loop_task: asyncio.Task[None] | None = None

    def of(self, kernel_id: str) -> Kept:
        """What is known of a kernel, from now on."""
        if kernel_id not in self._kernels:
            self._kernels[kernel_id] = Kept(self._server.kernel_manager.get_kernel(kernel_id))
        return self._kernels[kernel_id]

    def get(self, kernel_id: str) -> Kept | None:
        """What is known of a kernel, if any page has ever joined it."""
        return self._kernels.get(kernel_id)

    async def wait_until_heard(self, kernel_id: str, page: str) -> None:
        """Wait until a page hears the kernel by itself: told earlier, it would miss what is said between."""
        for _wait in range(int(HEARS_S / 0.02)):
            kept = self.get(kernel_id)
            if kept and page in kept.pages and kept.pages[page].hears:
                return
            await asyncio.sleep(0.02)

    def start(self) -> None:
        """Look after our own folder, until the lab ends."""
        for old in (home() / "kept").glob("*.json"):
            with suppress(OSError):
                if time.time() - old.stat().st_mtime > KEPT_DAYS * 86_400:
                    old.unlink()
        self._loop_task = asyncio.create_task(self._look_after())

    async def add_to(self, path: str, content: dict[str, Any]) -> None:
        """Put into a notebook that was just read what its file does not hold yet."""
        kept = await self._kept_of(path)
        found = [(one.cell, one.count, one.saved()) for one in kept.news()] if kept else []
        put_outputs(content, found or self._left_behind(path))

    async def page_saved(self, path: str, content: dict[str, Any], at: float) -> None:
        """A page has written what it shows.

        Args:
            path: The notebook's.
            content: What was written.
            at: When the page asked for it.
        """
        if kept := await self._kept_of(path):
            kept.saved_at, kept.written = time.time(), 0.0
            cells = {cell.get("id"): cell for cell in _code_cells(content)}
            for one in kept.executions.values():
                one.note_saved(cells.get(one.cell), at, heard=bool(kept.pages))
        self._file(path).unlink(missing_ok=True)

    def restarted(self, manager: Any) -> None:
        """A kernel was started anew."""
        if kept := self.get(manager.kernel_id):
            kept.restarted(manager)

    async def died(self, kernel_id: str, bundle: dict[str, Any], cell: str) -> None:
        """Keep why a kernel ended, below the cell that ran, or that ran last; pages ask for it when they hear of it."""
        kept = self.get(kernel_id)
        if kept is None:
            return
        kept.flush()
        execution = kept.last(cell)
        for one in kept.executions.values():
            one.end()
        if execution is None:
            return
        execution.add({"header": {"msg_type": "display_data"}, "content": {"data": bundle, "metadata": {}}})
        message = execution.header["msg_id"]
        kept.death = {"id": uuid.uuid4().hex, "message": message, "cell": execution.cell, "data": bundle}

    async def end(self) -> None:
        """The lab ends: what no page wrote goes into the notebooks."""
        if self._loop_task is not None:
            self._loop_task.cancel()
        for kernel_id, kept in list(self._kernels.items()):
            path = await self._path_of(kernel_id)
            if path and kept.news():
                with suppress(Exception):  # a disk that is full; what is kept stays in our own folder
                    manager = self._server.contents_manager
                    model = await manager.get(path, content=True, type="notebook")  # with what is kept
                    await manager.save({"type": "notebook", "format": "json", "content": model["content"]}, path)
            kept.close()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(TO_DISK_S)
            for kernel_id, kept in list(self._kernels.items()):
                try:
                    if kernel_id not in self._server.kernel_manager:
                        kept.close()
                        del self._kernels[kernel_id]
                    elif kept.is_unsaved() and kept.newest() > kept.written and time.time() > kept.not_before:
                        await self._to_disk(kernel_id, kept)
                except Exception:  # of many packages, and the next time may do
                    self._server.log.exception("what a kernel's cells printed could not be kept")

    async def _to_disk(self, kernel_id: str, kept: Kept) -> None:
        if path := await self._path_of(kernel_id):
            began, file = time.time(), self._file(path)
            news = [[one.cell, one.count, one.saved()] for one in kept.news()]
            with suppress(OSError):
                file.parent.mkdir(mode=0o700, exist_ok=True)
                await asyncio.to_thread(write_json, file, news)
                kept.written = began
                if kept.saved_at > began:  # a page was quicker
                    file.unlink(missing_ok=True)
            kept.not_before = time.time() + 10 * (time.time() - began)  # where there is much of it, more rarely

    def _left_behind(self, path: str) -> list[Any]:
        """What a lab knew that was ended from outside, and nobody has written into the notebook since."""
        file = self._file(path)
        with suppress(OSError, ValueError):
            if file.stat().st_mtime_ns < self._notebook(path).stat().st_mtime_ns:
                file.unlink()
                return []
            found = json.loads(file.read_text(encoding="utf-8"))
            return found if isinstance(found, list) else []
        return []

    def _notebook(self, path: str) -> Path:
        return Path(self._server.root_dir) / path.strip("/")

    def _file(self, path: str) -> Path:
        whole = str(self._notebook(path))
        return home() / "kept" / f"{hashlib.sha256(whole.encode()).hexdigest()[:32]}.json"

    async def _kept_of(self, path: str) -> Kept | None:
        for kernel_id, kept in self._kernels.items():
            if await self._path_of(kernel_id) == path.strip("/"):
                return kept
        return None

    async def _path_of(self, kernel_id: str) -> str | None:
        for session in await self._server.session_manager.list_sessions():
            if session["kernel"] and session["kernel"]["id"] == kernel_id:
                return str(session["path"]).strip("/")
        return None


def put_outputs(content: dict[str, Any], found: list[Any]) -> None:
    """Put outputs below the cells that printed them, also where these were edited while they ran."""
    known = {cell: (count, outputs) for cell, count, outputs in found}
    for cell in _code_cells(content):
        if cell.get("id") in known:
            cell["execution_count"], cell["outputs"] = known[cell["id"]]
            cell["metadata"]["trusted"] = True  # this person ran it, in this lab


def with_names(content: dict[str, Any]) -> None:
    """Give the cells of an older notebook (before nbformat 4.5, as Colab writes) names, by which output finds them.

    The same ones each time, as long as the file does not change.
    """
    if content.get("nbformat") != 4 or content.get("nbformat_minor", 0) >= 5:
        return
    content["nbformat_minor"] = 5
    for at, cell in enumerate(content.get("cells", ())):
        source = "".join(cell.get("source", ()))
        cell.setdefault("id", f"{at}-{hashlib.sha256(source.encode()).hexdigest()[:8]}")


def _code_cells(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (cell for cell in content.get("cells", ()) if cell.get("cell_type") == "code")


class Connection(ZMQChannelsWebsocketConnection):  # type: ignore[misc]  # jupyter_server is read without its types
    """A page's line to a kernel. The keeper learns which cell a request runs, and what pages are there."""

    hears = False  # the kernel: a line to a busy one may be open for a while before it does

    def connect(self) -> Any:
        """A page joins."""
        self._keeper.of(self.kernel_id).pages[self.session.session] = self
        connected = super().connect()
        if connected is not None and not connected.done():  # at once is only said of a busy one, which was not asked
            connected.add_done_callback(self._note_that_it_hears)
        return connected

    def disconnect(self) -> None:
        """A page has left, or its network has."""
        if (kept := self._keeper.get(self.kernel_id)) and kept.pages.get(self.session.session) is self:
            del kept.pages[self.session.session]
        super().disconnect()

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """A page says something."""
        if asked := _request(incoming_msg, self.subprotocol):
            self._keeper.of(self.kernel_id).ask(*asked)
        super().handle_incoming_message(incoming_msg)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """The kernel says something: from version 7 on, ipykernel greets each line as soon as it hears."""
        if stream.channel == "iopub":
            self._note_that_it_hears()
        super().handle_outgoing_message(stream, outgoing_msg)

    def _note_that_it_hears(self, _connected: Any = None) -> None:
        self.hears = True

    @property
    def _keeper(self) -> Keeper:
        keeper: Keeper = self.websocket_handler.settings[SETTING]
        return keeper


def _request(incoming: Any, protocol: str | None) -> tuple[dict[str, Any], str] | None:
    """Header and cell of a message that asks for a cell to be run."""
    if len(incoming) > 0 and (b"execute_request" if isinstance(incoming, bytes) else "execute_request") not in incoming:
        return None
    try:
        if protocol == "v1.kernel.websocket.jupyter.org":
            _channel, parts = deserialize_msg_from_ws_v1(incoming)
            header, metadata, content = (json.loads(parts[part]) for part in (0, 2, 3))
        else:
            message = json.loads(incoming)
            header, metadata, content = message["header"], message["metadata"], message["content"]
        if header["msg_type"] == "execute_request" and not content.get("silent"):
            return header, str(metadata["cellId"])
    except (ValueError, KeyError, IndexError, TypeError):  # what is wrong with it is for the kernel to say
        pass
    return None


class OutputsHandler(APIHandler):  # type: ignore[misc]  # jupyter_server is read without its types
    """What the cells of a kernel printed, and why it ended, to those who have the token."""

    @authenticated  # type: ignore[untyped-decorator]  # tornado is read without its types
    async def get(self, kernel_id: str) -> None:
        """Every cell that runs or waits, and those that ended after the notebook was last saved.

        `page` in the query is the name that the page gives itself: it is told as soon as it hears the kernel itself.
        """
        keeper: Keeper = self.settings[SETTING]
        if page := self.get_argument("page", ""):
            await keeper.wait_until_heard(kernel_id, page)
        kept = keeper.get(kernel_id)
        fresh = kept.news() if kept else []
        executions = [
            {
                "message": message,
                "cell": one.cell,
                "state": one.state,
                "count": one.count,
                "outputs": one.outputs,
                "newest": one.newest,
                "fresh": one in fresh,
            }
            for message, one in (kept.executions.items() if kept else ())
        ]
        self.finish(json.dumps({"executions": executions, "death": kept.death if kept else None}))


ROUTE: tuple[str, Callable[..., Any]] = (r"firstlight/api/outputs/([\w-]+)", OutputsHandler)
