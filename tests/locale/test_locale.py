"""Which language is spoken, and sentences with their values."""

import io

import pytest

from firstlight import locale
from firstlight.locale import Text, _, language, say

VARIABLES = ("FIRSTLIGHT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.mark.parametrize(
    ("variables", "spoken"),
    [
        ({"FIRSTLIGHT_LANG": "ko", "LANG": "ja_JP.UTF-8"}, "ko"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LC_ALL": "ko_KR", "LANG": "ja_JP.UTF-8"}, "ko"),
        ({"LANG": "ja-JP"}, "ja"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"FIRSTLIGHT_LANG": "Japanese_Japan"}, "ja"),
    ],
)
def test_language(monkeypatch, variables, spoken):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == spoken


def test_without_any_variable_the_system_is_asked(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(locale._system, "getlocale", lambda: ("Korean_Korea", "949"))
    assert language() == "ko"


def test_a_known_sentence_is_translated_and_filled(monkeypatch):
    monkeypatch.setattr(locale, "_catalogue", {"ja": {"{n} cats": "猫が{n}匹"}}.__getitem__)
    monkeypatch.setenv("FIRSTLIGHT_LANG", "ja")
    sentence = "{n} cats"
    assert _(sentence, n=2) == "猫が2匹"
    assert _("no {n} here", n=2) == "no 2 here"
    assert Text(what=sentence, why="w", do="d").fill(n=1).startswith("猫が1匹\n")


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_the_shipped_catalogues_are_read(lang):
    assert len(locale._catalogue(lang)) > 100


def test_saying_something_never_fails_for_want_of_a_letter():
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    say("✓ 20 % café", narrow)
    narrow.flush()
    assert narrow.buffer.getvalue().decode("cp1252").rstrip() == "? 20 % café"
