"""README is true, and its Japanese and Korean say the same things in the same order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = {lang: ROOT / f"README{'' if lang == 'en' else '.' + lang}.md" for lang in ("en", "ja", "ko")}


def shape(lang: str) -> dict[str, list[str]]:
    """What a translation may not change: its skeleton, its code, and where its links lead."""
    text = READMES[lang].read_text(encoding="utf-8")
    fences = re.findall(r"```.*?```", text, flags=re.DOTALL)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    links = re.findall(r"\]\(([^)]+)\)", prose)
    inline = re.findall(r"`([^`]+)`", prose.replace("--lang ko", "--lang ja"))
    return {
        "blocks": re.findall(r"^(#+|-|!\[)", prose, flags=re.MULTILINE),
        "code": fences,
        "links": sorted(link.replace(f"lab.{lang}.png", "lab.png") for link in links if "README" not in link),
        "inline code": sorted(set(inline)),
    }


@pytest.mark.parametrize("lang", ["ja", "ko"])
@pytest.mark.parametrize("part", ["blocks", "code", "links"])
def test_translations_are_in_step(lang, part):
    english = shape("en")[part]
    assert len(english) >= 2
    assert shape(lang)[part] == english


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_no_command_or_name_is_lost_in_translation(lang):
    assert set(shape("en")["inline code"]) <= set(shape(lang)["inline code"])


@pytest.mark.parametrize("lang", READMES)
def test_every_link_leads_somewhere(lang):
    links = [link for link in shape(lang)["links"] if not link.startswith("http")]
    assert len(links) > 5
    for link in re.findall(r"\]\(([^)#]+)\)", READMES[lang].read_text(encoding="utf-8")):
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_every_link_in_the_docs_leads_somewhere():
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    assert len(pages) > 5
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_commands_are_in_the_makefile():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    commands = re.findall(r"make (\w+)", READMES["en"].read_text(encoding="utf-8"))
    assert {"lab", "test"} <= set(commands)
    assert set(commands) - {"no"} <= set(targets)


@pytest.mark.slow
def test_the_plain_pytorch_example_runs(capsys):
    code = next(fence for fence in shape("en")["code"] if fence.startswith("```python"))
    names: dict[str, object] = {}
    exec(compile(code.removeprefix("```python").removesuffix("```"), "README.md", "exec"), names)
    assert names["run"].last("test/accuracy") > 0.8
    assert names["run"].status == "finished"
