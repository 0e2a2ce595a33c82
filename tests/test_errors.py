"""Three sentences, in the learner's language, with values; still themselves in another process."""

import pickle

import pytest

import firstlight
from firstlight.errors import FirstlightError
from firstlight.locale import Text


class Spilled(FirstlightError, ValueError):
    text = Text(what="{cups} cups fell over.", why="The table shook.", do="Hold {cups} cups.")


def test_says_what_why_and_what_to_do():
    with pytest.raises(ValueError, match="3 cups") as caught:
        raise Spilled(cups=3)
    assert str(caught.value).splitlines() == ["3 cups fell over.", "The table shook.", "Hold 3 cups."]


def test_crosses_a_process_boundary_with_its_values():
    assert str(pickle.loads(pickle.dumps(Spilled(cups=2)))) == str(Spilled(cups=2))


def test_a_notebook_shows_the_own_line_and_the_sentences_and_no_traceback(tmp_path):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        shell.user_ns["fl"] = firstlight
        with capture_output() as captured:
            result = shell.run_cell("number = 1\ntrain, test = fl.load('no_such_data')")
    finally:
        InteractiveShell.clear_instance()
    assert isinstance(result.error_in_exec, FirstlightError)
    assert "----> 2 train, test = fl.load('no_such_data')" in captured.stdout
    assert str(result.error_in_exec) in captured.stdout
    assert "Traceback" not in captured.stdout
    assert "loading.py" not in captured.stdout
