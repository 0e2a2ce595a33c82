"""Pictures of graphs: complete without scripts, sound HTML, small for large graphs."""

from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from firstlight.graph import trace

VOID = {"br", "img", "input", "path", "rect"}


class Sound(HTMLParser):
    """Every element that begins ends, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.titles = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def parsed(html):
    parser = Sound()
    parser.feed(html)
    assert not parser.open
    assert not any(tag == "script" or any(name.startswith("on") for name in attrs) for tag, attrs in parser.tags)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    return parser.tags


def residual(blocks):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(blocks))

        def forward(self, x):
            for layer in self.layers:
                x = x + layer(x)
            return x

    return Residual()


def test_a_small_graph_is_drawn_whole():
    tags = parsed(trace(residual(2), torch.zeros(1, 4)).picture().html)
    boxes = [attrs for tag, attrs in tags if tag == "g"]
    assert len(boxes) == 6
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)
    assert any("each row of 4 numbers becomes 4" in box["aria-label"] for box in boxes)
    classes = [attrs.get("class") for tag, attrs in tags if tag == "path"]
    assert classes.count("fl-fwd") == 6
    assert classes.count("fl-bwd") >= 5
    assert sum(tag == "details" and "open" in attrs for tag, attrs in tags) == len(
        [t for t, _a in tags if t == "details"]
    )


def test_a_middling_graph_is_drawn_by_module():
    tags = parsed(trace(residual(30), torch.zeros(1, 4)).picture().html)
    boxes = [attrs["aria-label"] for tag, attrs in tags if tag == "g"]
    assert not boxes or len(boxes) <= 48
    deep = trace(nn.Sequential(*[residual(8) for _ in range(4)]), torch.zeros(1, 4))
    boxes = [attrs["aria-label"] for tag, attrs in parsed(deep.picture().html) if tag == "g"]
    assert len(boxes) == 4
    assert "24 operations" in boxes[0]


def test_a_large_graph_folds_and_stays_small():
    model = nn.Sequential(*[residual(20) for _ in range(30)])
    graph = trace(model, torch.zeros(1, 4))
    assert len(graph) == 1800
    html = graph.picture().html
    assert len(html) < 2_000_000
    tags = parsed(html)
    assert sum(tag == "details" and "open" in attrs for tag, attrs in tags) == 1
    text = repr(graph)
    assert "more; graph.find" in text
    assert len(text.splitlines()) < 420


def test_names_are_escaped():
    model = nn.Sequential()
    model.add_module("<b>", nn.Linear(2, 2))
    graph = trace(model, torch.zeros(1, 2))
    assert "<b> (Linear)" not in graph.picture().html
    assert "&lt;b&gt; (Linear)" in graph.picture().html
    parsed(graph.picture().html)
    parsed(graph.shapes().picture().html)
    parsed(graph.diff(trace(model, torch.zeros(3, 2))).picture().html)


def test_an_empty_graph():
    graph = trace(nn.Identity(), torch.zeros(1))
    assert len(graph) == 0
    parsed(graph.picture().html)
    assert "0 operations" in repr(graph)
    assert repr(graph.diff(graph)).startswith("The same 0 operations")


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_in_other_languages(lang, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
    graph = trace(nn.Conv2d(1, 2, 3), torch.zeros(1, 1, 5, 5))
    text = repr(graph) + repr(graph.shapes()) + graph.picture().html + repr(graph.diff(graph))
    for english in ("operations", "held for backward", "arithmetic", "height and", "activation"):
        assert english not in text
    parsed(graph.picture().html)


def test_mime_bundles():
    graph = trace(nn.Linear(2, 2), torch.zeros(1, 2))
    for thing in (graph, graph.shapes(), graph.diff(graph)):
        assert set(thing._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_shown_in_a_terminal(capsys):
    graph = trace(nn.Linear(2, 2), torch.zeros(1, 2))
    graph.show()
    graph.diff(graph).show()
    assert "linear" in capsys.readouterr().out
