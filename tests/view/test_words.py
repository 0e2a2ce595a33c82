import pytest

from firstlight.view import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (2.30258, "2.303"), (12.3456, "12.35"), (99999.0, "1e+05"), (-0.5, "-0.500"), (float("inf"), "inf")],
)
def test_numbers(value: float, text: str) -> None:
    assert words.number(value) == text


def test_durations_in_three_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert words.duration(59.6) == "1 min 0 s"
    assert words.duration(-1) == "0 s"
    monkeypatch.setenv("FIRSTLIGHT_LANG", "ja")
    assert words.duration(61) == "1 分 1 秒"
    monkeypatch.setenv("FIRSTLIGHT_LANG", "ko")
    assert words.duration(3700) == "1시간 1분"


def test_a_share_that_is_lost() -> None:
    assert words.share(float("nan")) == "nan"
