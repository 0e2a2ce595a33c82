"""What the server knows of the cells, held against what JupyterLab would show."""

import asyncio
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.session import Session

from firstlight.lab import keeping
from firstlight.lab.keeping import STREAM_CHARACTERS, Execution, Kept, on_screen, put_outputs, with_names


def said(kind: str, **content: Any) -> dict[str, Any]:
    return {"header": {"msg_type": kind}, "content": content}


def run(*messages: dict[str, Any]) -> Execution:
    execution = Execution("cell", {"msg_id": "request"})
    for message in messages:
        execution.add(message)
    return execution


def notebook_cell(name: str, kind: str = "code") -> dict[str, Any]:
    return {"id": name, "cell_type": kind, "source": "run()", "metadata": {}, "outputs": ["old"], "execution_count": 1}


def test_streams_join_and_displays_are_drawn_anew_in_their_place() -> None:
    shown = {"data": {"text/plain": "0 %"}, "metadata": {}, "transient": {"display_id": "bar"}}
    execution = run(
        said("execute_input", execution_count=3),
        said("stream", name="stdout", text="a"),
        said("stream", name="stdout", text="b\n"),
        said("display_data", **shown),
        said("stream", name="stderr", text="c"),
        said("error", ename="E", evalue="v", traceback=[]),
    )
    execution.put("bar", {"data": {"text/plain": "100 %"}, "metadata": {}})
    execution.put("another", {"data": {"text/plain": "no"}, "metadata": {}})
    assert execution.state == "running"
    assert execution.saved() == [
        {"output_type": "stream", "name": "stdout", "text": "ab\n"},
        {"output_type": "display_data", "data": {"text/plain": "100 %"}, "metadata": {}},
        {"output_type": "stream", "name": "stderr", "text": "c"},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []},
    ]
    execution.add(said("status", execution_state="idle"))
    assert (execution.state, execution.count) == ("done", 3)


def test_cleared_now_or_with_the_next_output() -> None:
    first = said("stream", name="stdout", text="first")
    assert run(first, said("clear_output", wait=False)).outputs == []
    waiting = run(first, said("clear_output", wait=True))
    assert waiting.outputs
    waiting.add(said("stream", name="stdout", text="second"))
    assert [one["text"] for one in waiting.outputs] == ["second"]


def test_a_bar_that_draws_itself_over_and_over_stays_one_line() -> None:
    text = ""
    for step in range(2_000):
        text = on_screen(text, f"\r{step} of 2000")
    assert text == "1999 of 2000"
    assert on_screen(on_screen("line\nlong\r", "ab"), "\n") == "line\nabng\n"
    assert on_screen("a", "b\r\nc") == "ab\nc"
    assert on_screen("abc", "\b\bX") == "aX"


def test_a_cell_that_prints_without_end_is_kept_within_bounds() -> None:
    execution = run(
        *[said("stream", name="stdout", text="x" * 1_000_000)] * 9, said("stream", name="stdout", text="end")
    )
    assert len(execution.outputs) == 1
    assert len(execution.outputs[0]["text"]) == STREAM_CHARACTERS
    assert execution.outputs[0]["text"].endswith("end")


def test_outputs_go_to_the_cells_that_were_run_and_to_no_other() -> None:
    content = {"cells": [notebook_cell("a"), notebook_cell("b"), notebook_cell("d", "markdown")]}
    put_outputs(content, [["a", 7, ["new"]], ["d", 8, ["no"]], ["gone", 9, ["no"]]])
    assert [one["outputs"] for one in content["cells"]] == [["new"], ["old"], ["old"]]
    assert [one["execution_count"] for one in content["cells"]] == [7, 1, 1]


@pytest.mark.parametrize(
    ("cell", "seconds", "heard", "whole"),
    [
        pytest.param({"outputs": [{"text": "a"}], "execution_count": 3}, 0.1, True, True, id="the whole"),
        pytest.param({"outputs": [{"text": "a"}], "execution_count": None}, 9, True, False, id="a page that slept"),
        pytest.param({"outputs": [], "execution_count": None}, 9, True, True, id="cleared by the person"),
        pytest.param({"outputs": [], "execution_count": None}, 9, False, False, id="nothing was printed as it left"),
        pytest.param({"outputs": [], "execution_count": None}, 0.1, True, False, id="its outputs are on their way"),
        pytest.param(None, 0.1, True, True, id="removed"),
    ],
)
def test_what_a_page_has_saved_is_known_by_what_stands_there(
    cell: dict[str, Any] | None, seconds: float, heard: bool, whole: bool
) -> None:
    execution = run(said("execute_input", execution_count=3), said("stream", name="stdout", text="a and more"))
    execution.note_saved({"outputs": [{"text": "a"}], "execution_count": 3}, time.time() + 1)
    assert not execution.in_file, "it runs"
    execution.add(said("status", execution_state="idle"))
    execution.note_saved(cell, execution.changed - 1)
    assert not execution.in_file, "the page asked before it had ended"
    execution.note_saved(cell, execution.changed + seconds, heard=heard)
    assert execution.in_file is whole
    execution.put("none", {})
    assert execution.in_file is whole
    execution.add(said("stream", name="stdout", text="from a thread"))
    assert not execution.in_file


def test_a_kernel_that_was_started_anew_runs_nothing() -> None:
    kept = Kept.__new__(Kept)  # without a kernel to listen to
    kept.executions = {name: Execution(name, {"msg_id": name}) for name in ("ended", "runs", "waits")}
    for name in ("ended", "runs"):
        kept.executions[name].add(said("execute_input", execution_count=1))
        kept.executions[name].add(said("stream", name="stdout", text=name))
    kept.executions["ended"].add(said("status", execution_state="idle"))
    kept._port = 1
    kept.restarted(SimpleNamespace(iopub_port=1))
    assert {name: (one.state, one.count) for name, one in kept.executions.items()} == {
        "ended": ("done", 1),
        "runs": ("done", None),
    }
    heard: list[Any] = []
    kept._stream = SimpleNamespace(closed=lambda: False, close=lambda: heard.append("left"))
    stream = SimpleNamespace(on_recv=heard.append)
    kept.restarted(SimpleNamespace(iopub_port=2, connect_iopub=lambda: stream))
    assert heard == ["left", kept._hear]


def test_a_message_is_as_new_here_as_on_the_page() -> None:
    session = Session(key=b"key")
    asked = session.msg("execute_request")
    told = session.msg("stream", {"name": "stdout", "text": "a"}, parent=asked)
    kept = Kept.__new__(Kept)
    kept._reader = Session(key=b"key")
    kept.executions = {asked["header"]["msg_id"]: Execution("cell", asked["header"])}
    frames = session.serialize(told)
    kept._hear(frames)
    (execution,) = kept.executions.values()
    assert execution.newest == json.loads(frames[frames.index(b"<IDS|MSG>") + 2])["date"]


def test_a_cell_that_shows_picture_after_picture_is_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEPT_BYTES", 100_000)
    shown = [said("display_data", data={"image/png": "x" * 1_000, "text/plain": str(at)}) for at in range(1_000)]
    execution = run(*shown)
    assert len(str(execution.outputs)) < 200_000
    assert execution.outputs[-1]["data"]["text/plain"] == "999"
    assert len(execution.outputs) > 50


@pytest.mark.timeout(20)
def test_a_bar_that_is_taken_back_letter_by_letter_holds_nobody_up() -> None:
    assert on_screen("", "\b" + "x\b" * 300_000 + "done") == "done"


def test_a_notebook_from_elsewhere_gets_names_and_the_same_each_time() -> None:
    def read() -> dict[str, Any]:
        cells = [{"cell_type": "code", "source": source} for source in ("1", ["1"], "2")]
        return {"nbformat": 4, "nbformat_minor": 0, "cells": cells}

    content, again = read(), read()
    with_names(content)
    with_names(again)
    assert content == again
    assert content["nbformat_minor"] == 5
    assert len({cell["id"] for cell in content["cells"]}) == 3
    named = {"nbformat": 4, "nbformat_minor": 5, "cells": [{"id": "own"}, {}]}
    with_names(named)
    assert named["cells"] == [{"id": "own"}, {}]


@pytest.mark.parametrize("newer", [False, True])
def test_what_a_killed_lab_left_is_not_put_over_a_notebook_that_was_written_since(
    newer: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(keeping, "home", lambda: tmp_path)
    monkeypatch.setattr(keeping.Keeper, "_kept_of", lambda *_: asyncio.sleep(0))
    keeper = keeping.Keeper(SimpleNamespace(root_dir=str(tmp_path)))
    file, notebook = keeper._file("a.ipynb"), tmp_path / "a.ipynb"
    file.parent.mkdir()
    file.write_text(json.dumps([["a", 7, ["left"]]]), encoding="utf-8")
    notebook.write_text("{}", encoding="utf-8")
    at = file.stat().st_mtime + (60 if newer else -60)
    os.utime(notebook, (at, at))
    content = {"cells": [notebook_cell("a")]}
    asyncio.run(keeper.add_to("a.ipynb", content))
    assert content["cells"][0]["outputs"] == (["old"] if newer else ["left"])
    assert file.exists() is not newer


def test_why_a_kernel_ended_stands_below_the_cell_that_ran_however_much_it_could_still_say() -> None:
    kept = Kept.__new__(Kept)  # without a kernel to listen to
    kept.executions = {name: Execution(name, {"msg_id": name}) for name in ("first", "second", "third")}
    assert kept.last("second") is kept.executions["second"], "the end of the first one was never heard"
    assert kept.last("") is kept.executions["first"]
    kept.executions["first"].state = "done"
    assert kept.last("elsewhere") is kept.executions["second"]
    for one in kept.executions.values():
        one.state = "done"
    assert kept.last("") is kept.executions["third"]
