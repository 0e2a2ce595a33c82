"""Three sentences, in the learner's language, with values; still themselves in another process."""

import pickle

import pytest

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
