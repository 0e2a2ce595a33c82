"""The tool that makes notebooks: a small lesson of its own, whole, and then broken in each way that it must notice."""

import json
import shutil
from pathlib import Path

import nbformat
import polib
import pytest

from firstlight.lessons import lessons, notebook_path
from firstlight.lessons.build import (
    INSTALLED,
    Places,
    build_all,
    check,
    markup_problems,
    messages,
    translate,
    update_catalogues,
)
from firstlight.lessons.problems import NoSuchLesson

SOURCE = """\
# %% [markdown]
# # Nets
#
# A net has **3** layers; see `nn.Linear` and $x^2$,
# or the [manual](https://example.org/m).
#
# - one item
#   in two lines
#
# > a quotation
#
# | name | meaning | name |
# | --- | --- | --- |
# | `x` | pictures | same \\| word |

# %%
x = 1

# %% tags=["check"]
x
"""
JA = {
    "Nets": "ネットワーク",
    "A net has **3** layers; see `nn.Linear` and $x^2$, or the [manual](https://example.org/m).": (
        "ネットワークには**3**層あります。 `nn.Linear` と $x^2$ 、または[説明書](https://example.org/m)を見てください。"
    ),
    "one item in two lines": "2行の項目",
    "a quotation": "引用",
    "name": "名前",
    "meaning": "意味",
    "pictures": "画像",
    "same | word": "同じ | 語",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """One small lesson, translated (Korean too: any text will do) and built."""
    found = Places(tmp_path / "sources", tmp_path / "locale", tmp_path / "notebooks")
    found.sources.mkdir()
    (found.sources / "nets.py").write_text(SOURCE, encoding="utf-8")
    update_catalogues(found)
    for lang in ("ja", "ko"):
        edit(found, lang, JA)
    build_all(found)
    return found


def edit(places: Places, lang: str, translations: dict[str, str]) -> None:
    path = places.catalogues / lang / "nets.po"
    catalogue = polib.pofile(str(path))
    for entry in catalogue:
        if entry.msgid in translations:
            entry.msgstr, entry.flags = translations[entry.msgid], []
    catalogue.save(str(path))


def change_source(places: Places, old: str, new: str) -> None:
    path = places.sources / "nets.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_lessons_in_the_package_are_whole() -> None:
    assert lessons()
    assert check() == []
    assert build_all() == [], "the committed notebooks are what the build makes"


def test_code_cells_are_the_same_in_all_languages() -> None:
    for name in lessons():
        books = [json.loads(notebook_path(name, lang).read_text(encoding="utf-8")) for lang in ("en", "ja", "ko")]
        code = [[(c["id"], c["source"]) for c in book["cells"] if c["cell_type"] == "code"] for book in books]
        assert len(code[0]) > 10
        assert code[0] == code[1] == code[2]
        assert [book["metadata"]["firstlight"]["lang"] for book in books] == ["en", "ja", "ko"]
        assert all(c["outputs"] == [] for book in books for c in book["cells"] if c["cell_type"] == "code")


def test_a_notebook_is_valid_and_says_what_it_was_made_of(places: Places) -> None:
    assert check(places) == []
    book = nbformat.read(places.notebooks / "ja" / "nets.ipynb", as_version=4)
    nbformat.validate(book)
    assert book.metadata.firstlight.source == "nets.py"
    assert len(book.metadata.firstlight.hash) == 16
    assert book.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in book.cells}) == len(book.cells)


def test_each_block_is_a_message_and_keeps_its_form(places: Places) -> None:
    assert set(messages(places.sources / "nets.py")) == set(JA)
    text = nbformat.read(places.notebooks / "ja" / "nets.ipynb", as_version=4).cells[0].source
    assert "# ネットワーク" in text
    assert "- 2行の項目\n" in text
    assert "> 引用" in text
    assert "| 名前 | 意味 | 名前 |" in text
    assert "| `x` | 画像 | 同じ \\| 語 |" in text


def test_a_text_without_translation_stays_english() -> None:
    assert translate("# One\n\nTwo\nlines.", {"Two lines.": "2行。"}) == "# One\n\n2行。"


def test_a_new_text_is_missing(places: Places) -> None:
    change_source(places, "# > a quotation", "# > a quotation\n#\n# Something entirely new, not seen before.")
    problems = check(places)
    assert [p for p in problems if p.startswith("ja/nets.po: missing: 'Something entirely new")]
    assert [p for p in problems if p.startswith("notebooks/en/nets.ipynb: out of date")]


def test_a_changed_text_is_stale_after_the_update(places: Places) -> None:
    change_source(places, "**3** layers", "**3** good layers")
    update_catalogues(places)
    assert [p for p in check(places) if p.startswith("ko/nets.po: stale")]
    edit(places, "ko", {key.replace("**3** layers", "**3** good layers"): value for key, value in JA.items()})
    assert not [p for p in check(places) if p.startswith("ko/nets.po: stale")]


def test_a_text_that_is_gone_is_obsolete_and_then_removed(places: Places) -> None:
    change_source(places, "# > a quotation\n#\n", "")
    assert [p for p in check(places) if p.startswith("ja/nets.po: obsolete") and "a quotation" in p]
    update_catalogues(places)
    assert not [p for p in check(places) if "obsolete" in p]


def test_an_empty_catalogue_misses_everything(places: Places) -> None:
    (places.catalogues / "ja" / "nets.po").unlink()
    assert len([p for p in check(places) if p.startswith("ja/nets.po: missing")]) == len(JA)


def test_an_unreadable_catalogue_is_a_problem_and_no_traceback(places: Places) -> None:
    (places.catalogues / "ja" / "nets.po").write_text("nonsense", encoding="utf-8")
    assert [p for p in check(places) if p.startswith("ja/nets.po: cannot be read")]


@pytest.mark.parametrize(
    ("english", "translated", "problem"),
    [
        ("Use `fit`.", "`fot` を使います。", "inline code"),
        ("Half of $x$.", "$y$ の半分。", "formula"),
        ("See [this](a.md).", "[これ](b.md)。", "link target"),
        ("It has 84 inputs.", "入力がたくさんあります。", "numbers vanished"),
        ("A **word**.", "単語。", "bold"),
        ("This is **“learning”**.", "これは**「学習」**です。", "emphasis"),
    ],
)
def test_lost_markup_is_found(english: str, translated: str, problem: str) -> None:
    assert problem in " ".join(markup_problems(english, translated))


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("The **net** has 10 classes.", "**ネットワーク**のクラスは10個です。"),
        ("Two by 3 is `2 ** 3`.", "2と3の `2 ** 3` です。"),
        ("**Your turn.** Go.", "**どうぞ。** 進んでください。"),
    ],
)
def test_good_markup_is_left_alone(english: str, translated: str) -> None:
    assert list(markup_problems(english, translated)) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("x = 1  # this is prose", True),
        ('print("Hello my friend")', True),
        ('print("こんにちは")', True),
        ('x = "fashion_mnist_small"  # noqa', False),
        ("%matplotlib inline", False),
    ],
)
def test_prose_in_code_is_found(places: Places, code: str, found: bool) -> None:
    change_source(places, "x = 1", code)
    assert bool([p for p in check(places) if "prose in a code cell" in p]) is found


def test_what_cannot_be_translated_is_found(places: Places) -> None:
    change_source(places, "# > a quotation", "# <div>hidden words</div>\n#\n# broken\\\n# line")
    problems = " ".join(check(places))
    assert "an HTML block" in problems
    assert "a hard line break" in problems


def test_a_changed_or_missing_notebook_is_found(places: Places) -> None:
    path = places.notebooks / "ko" / "nets.ipynb"
    book = json.loads(path.read_text(encoding="utf-8"))
    book["cells"][1]["source"] = "x = 2"
    path.write_text(json.dumps(book), encoding="utf-8")
    problems = " ".join(check(places))
    assert "notebooks/ko/nets.ipynb: out of date" in problems
    assert "notebooks/ko/nets.ipynb: its code cells differ" in problems
    path.write_text("{", encoding="utf-8")
    assert "notebooks/ko/nets.ipynb: cannot be read" in " ".join(check(places))
    shutil.rmtree(path.parent)
    assert "notebooks/ko/nets.ipynb: missing" in " ".join(check(places))
    assert build_all(places) == [path]
    assert check(places) == []


def test_an_unknown_lesson_is_named() -> None:
    with pytest.raises(NoSuchLesson, match=r"no lesson cooking in the language ja"):
        notebook_path("cooking", "ja")
    assert INSTALLED.lessons()
