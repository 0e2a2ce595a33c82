"""The line that says how far it is."""

import io
import sys
import time

from firstlight.data.progress import Progress, _clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_one_line_that_renews_itself(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("x.bin", 1_000_000) as progress:
        for _ in range(4):
            time.sleep(0.06)
            progress.advance(100_000)
        assert "% of 1.0 MB" in progress.line()
        assert "left" in progress.line()
    text = terminal.getvalue()
    assert text.count("\n") == 1
    assert "\rx.bin: " in text
    assert text.endswith("x.bin: done in 0 s\n")


def test_a_file_gets_few_lines(capsys):
    with Progress("x", 10, counts_bytes=False) as progress:
        for _ in range(10):
            progress.advance(1)
    assert capsys.readouterr().err.splitlines() == ["x: done in 0 s"]


def test_quiet(capsys):
    with Progress("x", 10, quiet=True) as progress:
        progress.advance(10)
    assert capsys.readouterr() == ("", "")


def test_the_line_without_a_total_and_without_speed():
    progress = Progress("x", None, quiet=True)
    progress.advance(2_000_000)
    assert progress.line().startswith("x: 2.0 MB, ")
    progress = Progress("x", 100, quiet=True)
    progress.resume_at(50)
    assert progress.line() == "x: 50 % of 100 B"


def test_times():
    assert [_clock(seconds) for seconds in (5, 65, 3700)] == ["0:05", "1:05", "1:01:40"]


def test_a_notebook_gets_one_display(monkeypatch):
    """Run in a real IPython shell with a stand-in for the kernel's publisher only."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    monkeypatch.setattr(type(shell), "kernel", object(), raising=False)
    try:
        with capture_output() as shown, Progress("x", 1_000_000) as progress:
            for _ in range(3):
                time.sleep(0.3)
                progress.advance(100_000)
        texts = [output.data["text/plain"] for output in shown.outputs]
    finally:
        InteractiveShell.clear_instance()
    assert len(texts) >= 2
    assert texts[-1].startswith("x: done in")
