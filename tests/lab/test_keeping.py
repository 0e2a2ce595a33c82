"""What the server knows of the cells, held against what JupyterLab would show."""

from typing import Any

from firstlight.lab.keeping import STREAM_CHARACTERS, Execution, Kept, on_screen, put_outputs


def said(kind: str, **content: Any) -> dict[str, Any]:
    return {"header": {"msg_type": kind}, "content": content}


def run(*messages: dict[str, Any]) -> Execution:
    execution = Execution("cell", "1", {"msg_id": "request"})
    for message in messages:
        execution.add(message)
    return execution


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
    def cell(name: str, source: Any, kind: str = "code") -> dict[str, Any]:
        return {
            "id": name,
            "cell_type": kind,
            "source": source,
            "metadata": {},
            "outputs": ["old"],
            "execution_count": 1,
        }

    content = {
        "cells": [cell("a", "run()"), cell("b", ["x = 1\n", "x"]), cell("c", "edited()"), cell("d", "", "markdown")]
    }
    put_outputs(content, [("a", "run()", 7, ["new"]), ("b", "x = 1\nx", None, ["so far"]), ("c", "run()", 8, ["no"])])
    assert [one["outputs"] for one in content["cells"]] == [["new"], ["so far"], ["old"], ["old"]]
    assert [one["execution_count"] for one in content["cells"]] == [7, None, 1, 1]


def test_why_a_kernel_ended_stands_below_the_cell_that_ran_however_much_it_could_still_say() -> None:
    kept = Kept.__new__(Kept)  # without a kernel to listen to
    kept.executions = {name: Execution(name, "1", {"msg_id": name}) for name in ("first", "second", "third")}
    assert kept.last("second") is kept.executions["second"], "the end of the first one was never heard"
    assert kept.last("") is kept.executions["first"]
    kept.executions["first"].state = "done"
    assert kept.last("elsewhere") is kept.executions["second"]
    for one in kept.executions.values():
        one.state = "done"
    assert kept.last("") is kept.executions["third"]
