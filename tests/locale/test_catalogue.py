"""The translator's tool sees each way in which a catalogue can be wrong."""

import polib
import pytest

from firstlight.locale import catalogue


@pytest.fixture
def package(tmp_path):
    """A small package with one room, complete in both languages."""
    (tmp_path / "locale").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "load.py").write_text(
        "from firstlight.locale import Text, _\n"
        'a = _("Loading {name}", name="x")\n'
        'b = Text(what="A file is missing.", why="Nobody put it there.", do="Put it there.")\n'
    )
    translate(tmp_path, "ja", {"Loading {name}": "{name} を読み込みます"})
    translate(tmp_path, "ko", {"Loading {name}": "{name} 을(를) 불러옵니다"})
    assert catalogue.check(tmp_path) == []
    return tmp_path


def translate(package, lang, texts):
    catalogue.update(package)
    path = package / "locale" / lang / "data.po"
    po = polib.pofile(str(path))
    for entry in po:
        entry.msgstr = texts.get(entry.msgid) or entry.msgstr or f"訳{len(entry.msgid)}"
        entry.flags = []
    po.save()


def edit(package, change, lang="ja"):
    path = package / "locale" / lang / "data.po"
    po = polib.pofile(str(path))
    change(po)
    po.save()


def source(package, old, new):
    path = package / "data" / "load.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_messages_know_their_room_and_place(package):
    found = catalogue.messages(package)
    assert {m.text for m in found} == {"Loading {name}", "A file is missing.", "Nobody put it there.", "Put it there."}
    assert {m.room for m in found} == {"data"}
    assert found[0].place == "data/load.py:2"


def test_missing(package):
    edit(package, lambda po: setattr(po[0], "msgstr", ""))
    assert [p.split(" (")[0] for p in catalogue.check(package)] == ["ja/data.po: missing"]


def test_missing_file(package):
    (package / "locale" / "ko" / "data.po").unlink()
    assert len(catalogue.check(package)) == 4


def test_unreadable_file(package):
    (package / "locale" / "ko" / "data.po").write_text('msgid "x"\nbroken line\n')
    assert catalogue.check(package)[0].startswith("ko/data.po: cannot be read")


def test_changed_english_is_stale_until_someone_looks(package):
    source(package, "A file is missing.", "One file is missing.")
    assert any("missing (data" in p for p in catalogue.check(package))
    catalogue.update(package)
    stale = catalogue.check(package)
    assert len(stale) == 2
    assert all("stale" in p for p in stale)


def test_obsolete(package):
    source(package, 'a = _("Loading {name}", name="x")\n', "")
    assert all("obsolete" in p for p in catalogue.check(package))
    catalogue.update(package)
    assert catalogue.check(package) == []


def test_placeholders(package):
    edit(package, lambda po: setattr(po[0], "msgstr", "{nmae} を読み込みます"))
    assert any("placeholders differ" in p for p in catalogue.check(package))


def test_placeholder_formats_count(package):
    edit(package, lambda po: setattr(po[0], "msgstr", "{name:.2f} を読み込みます"))
    assert any("placeholders differ" in p for p in catalogue.check(package))


def test_english_again(package):
    edit(package, lambda po: setattr(po[1], "msgstr", po[1].msgid))
    assert any("English sentence again" in p for p in catalogue.check(package))


def test_line_break_at_the_end(package):
    edit(package, lambda po: setattr(po[1], "msgstr", "訳\n"))
    assert any("line break" in p for p in catalogue.check(package))


def test_one_sentence_with_two_translations(package):
    (package / "run").mkdir()
    (package / "run" / "a.py").write_text('b = _("Put it there.")\n')
    catalogue.update(package)
    for lang in ("ja", "ko"):
        path = package / "locale" / lang / "run.po"
        po = polib.pofile(str(path))
        po[0].msgstr = "別訳"
        po.save()
    assert any("otherwise than" in p for p in catalogue.check(package))


@pytest.mark.parametrize(
    "line",
    [
        'raise ValueError("this is wrong")',
        'raise ValueError(f"this is {wrong}: very wrong")',
        'print("hello there")',
        'parser.add_argument("--x", help="what it is")',
        'sys.stderr.write("hello there")',
        "c = _(variable)",
        'd = _(f"hello {name}")',
        "e = Text(what=a, why=b, do=c)",
    ],
)
def test_sentences_that_no_catalogue_can_reach(package, line):
    source(package, "a = _(", line + "\na = _(")
    assert any("data/load.py:2" in p for p in catalogue.check(package))


def test_keys_and_names_are_not_sentences(package):
    source(package, "a = _(", 'raise KeyError("train/loss")\nprint("ok")\na = _(')
    assert catalogue.check(package) == []


def test_our_own_catalogues_are_complete():
    assert len(catalogue.messages()) > 100
    assert catalogue.check() == []
