"""evaluate, against numbers worked out by hand and against formulas written another way."""

import io
import math
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from firstlight.data.dataset import Dataset
from firstlight.errors import FirstlightError
from firstlight.run import Recorder, Run, runs
from firstlight.train import Evaluation, evaluate
from firstlight.train.report import shade


class Oracle(nn.Module):
    """Says what it is told: the inputs are the scores."""

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.flatten(1)


def scores_for(predicted: list[int], classes: int, strength: float = 2.0) -> torch.Tensor:
    return nn.functional.one_hot(torch.tensor(predicted), classes).float() * strength


def says(predicted: list[int], true: list[int], names: tuple[str, ...], **options: object) -> Evaluation:
    data = Dataset(scores_for(predicted, len(names)), torch.tensor(true), names, name="spoken", split="test")
    return evaluate(Oracle(), data, **options)


def test_by_hand() -> None:
    #              cat cat cat dog dog bird
    result = says([0, 0, 1, 1, 0, 2], [0, 0, 0, 1, 1, 2], ("cat", "dog", "bird"))
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert result.confusion.dtype == torch.int64
    cat, dog, bird = result.per_class
    assert (cat.name, cat.support, cat.precision, cat.recall, cat.f1) == ("cat", 3, 2 / 3, 2 / 3, 2 / 3)
    assert (dog.support, dog.precision, dog.recall, dog.f1) == (2, 1 / 2, 1 / 2, 1 / 2)
    assert (bird.support, bird.precision, bird.recall, bird.f1) == (1, 1.0, 1.0, 1.0)
    # Softmax of (2, 0, 0): right samples cost -log(e^2 / (e^2 + 2)), wrong ones two more.
    right = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert result.loss == pytest.approx((4 * right + 2 * (right + 2)) / 6)
    assert [(m.index, m.true, m.predicted) for m in result.mistakes] == [(2, "cat", "dog"), (4, "dog", "cat")]
    assert result.mistakes[0].confidence == pytest.approx(math.exp(-right))
    assert result.mistakes[0].picture is None


def test_against_counts_made_another_way() -> None:
    generator = torch.Generator().manual_seed(3)
    predicted = torch.randint(7, (500,), generator=generator).tolist()
    true = torch.randint(7, (500,), generator=generator).tolist()
    result = says(predicted, true, tuple("abcdefg"), batch_size=64)
    pairs = Counter(zip(true, predicted, strict=True))
    assert all(result.confusion[t, p] == pairs[t, p] for t in range(7) for p in range(7))
    for k, row in enumerate(result.per_class):
        hits = sum(t == p == k for t, p in zip(true, predicted, strict=True))
        assert row.precision == pytest.approx(hits / predicted.count(k))
        assert row.recall == pytest.approx(hits / true.count(k))
        assert row.f1 == pytest.approx(2 * row.precision * row.recall / (row.precision + row.recall))
        assert row.support == true.count(k)


def test_a_class_missing_in_the_test_data_has_no_recall() -> None:
    result = says([0, 1, 0], [0, 1, 1], ("here", "there", "nowhere"))
    nowhere = result.per_class[2]
    assert nowhere.support == 0
    assert math.isnan(nowhere.precision)
    assert math.isnan(nowhere.recall)
    assert math.isnan(nowhere.f1)
    assert re.search(r"nowhere +– +– +– +0", repr(result))
    assert "nan" not in result.picture().html


def test_a_class_predicted_and_never_right_has_f1_zero() -> None:
    result = says([2, 1], [0, 1], ("a", "b", "c"))
    assert result.per_class[2].precision == 0.0
    assert result.per_class[2].f1 == 0.0
    assert math.isnan(result.per_class[2].recall)


def test_the_most_confident_mistakes_come_first_whatever_the_batch_size() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(300, 4, generator=generator) * 3
    labels = torch.randint(4, (300,), generator=generator)
    confidence, predicted = scores.softmax(1).max(1)
    wrong = [i for i in confidence.argsort(descending=True).tolist() if predicted[i] != labels[i]]
    for size in (1, 7, 300):
        data = DataLoader(TensorDataset(scores, labels), size)
        result = evaluate(Oracle(), data, mistakes=9)
        assert [m.index for m in result.mistakes] == wrong[:9]
        assert [m.confidence for m in result.mistakes] == pytest.approx(confidence[wrong[:9]].tolist())
        assert result.loss == pytest.approx(nn.functional.cross_entropy(scores, labels).item(), rel=1e-5)


class Counting(nn.Module):
    """A model with everything that measuring could disturb."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        assert not self.body[2].training
        return self.body(inputs)


def test_the_model_and_the_generators_come_back_as_they_were() -> None:
    model = Counting()
    model.train()
    model.body[1].eval()  # a frozen BatchNorm stays frozen
    before = {key: value.clone() for key, value in model.state_dict().items()}
    data = TensorDataset(torch.randn(20, 3, 2, 2), torch.randint(3, (20,)))
    random = torch.get_rng_state()
    first = evaluate(model, DataLoader(data, 8, shuffle=True))
    assert torch.equal(random, torch.get_rng_state())
    assert model.training
    assert model.body[2].training
    assert not model.body[1].training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    again = evaluate(model, DataLoader(data, 8), device="auto", classes=["x", "y", "z"])
    assert again.accuracy == first.accuracy
    assert again.classes == ("x", "y", "z")


def pictures(channels: int, count: int = 30) -> Dataset:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randint(0, 256, (count, channels, 6, 6), dtype=torch.uint8, generator=generator)
    return Dataset(
        inputs, torch.arange(count) % 3, ("<b>circle</b>", "square", "三角形"), name="shapes", preprocess=Unit()
    )


class Unit(nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float() / 255


@pytest.mark.parametrize("channels", [1, 3])
def test_mistakes_carry_the_original_pixels(channels: int) -> None:
    data = pictures(channels)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36 * channels, 3))
    result = evaluate(model, data)
    assert result.mistakes
    for mistake in result.mistakes:
        assert mistake.picture is not None
        assert np.array_equal(mistake.picture, data.inputs[mistake.index].numpy())
        assert mistake.true == data.classes[data.labels[mistake.index]]
    html = result.picture().html
    assert html.count("<img") == len(result.mistakes)
    assert "<b>circle" not in html
    assert "&lt;b&gt;circle" in html


def test_a_loader_without_pixels_shows_the_stretched_inputs() -> None:
    loader = DataLoader(pictures(1), batch_size=4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    result = evaluate(model, loader)
    assert result.classes == ("<b>circle</b>", "square", "三角形")  # known to the loader's dataset
    assert result.mistakes[0].picture is not None
    assert result.mistakes[0].picture.min() == 0
    assert result.mistakes[0].picture.max() == 255
    part = evaluate(model, DataLoader(Subset(pictures(1), range(9)), batch_size=4))
    assert part.classes == result.classes
    assert int(part.confusion.sum()) == 9


class Strict(HTMLParser):
    """Every tag that opens closes; collects table cells and images."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.styles: list[str] = []
        self.alts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.alts.append(values["alt"] or "")
        elif tag != "br":
            self.open.append(tag)
        if tag == "td":
            self.styles.append(values.get("style") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_says_in_words_what_it_draws() -> None:
    result = evaluate(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), pictures(1))
    parser = Strict()
    parser.feed(result.picture().html)
    assert parser.open == []
    assert "script" not in result.picture().html
    assert all(re.match(r"Sample \d+: .+ \(\d+\.\d%\), is .+", alt) for alt in parser.alts)
    text = result.picture().text
    for mistake in result.mistakes:
        assert re.search(rf"^{mistake.index} .*{re.escape(mistake.predicted)}", text, re.MULTILINE)


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_numbers_on_every_shade_can_be_read_and_shades_grow_darker() -> None:
    backgrounds = []
    for step in range(101):
        background, ink = shade(step / 100)
        light, dark = sorted((luminance(background), luminance(ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2 AA
        backgrounds.append(luminance(background))
    assert backgrounds == sorted(backgrounds, reverse=True)  # lightness alone tells: no colour vision needed
    assert backgrounds[0] - backgrounds[-1] > 0.6


def test_the_matrix_shows_each_number_and_marks_the_diagonal() -> None:
    result = says([0, 0, 1, 1, 0, 2], [0, 0, 0, 1, 1, 2], ("cat", "dog", "bird"))
    html = result.picture().html
    assert html.count("border:2px solid") == 3
    assert shade(2 / 3)[0] in html
    text = result.picture().text
    assert "0 cat   2  1  0" in text
    assert "1 dog   1  1  0" in text


def test_a_hundred_classes_are_folded() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.arange(1000) % 100
    predicted = torch.where(torch.rand(1000, generator=generator) < 0.8, true, (true + 1) % 100)
    predicted[true == 42] = 7
    result = says(predicted.tolist(), true.tolist(), tuple(f"class-{k}" for k in range(100)))
    assert result.confusion.shape == (100, 100)
    assert len(result.per_class) == 100
    text, html = result.picture().text, result.picture().html
    assert "20 of 100 classes" in text
    assert re.search(r"class-42 +class-7 +10", text)
    assert len(text.splitlines()) < 80
    assert html.count("<td") < 300


def test_widths_are_right_for_wide_characters() -> None:
    result = says([0, 1, 1], [0, 1, 0], ("りんご", "pear"))
    lines = [line for line in result.picture().text.splitlines() if line.startswith(("りんご", "pear"))]
    assert lines[0].startswith("りんご ")
    assert lines[1].startswith("pear   ")


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
def test_in_each_language(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", language)
    text = repr(says([0, 1, 1], [0, 1, 0], ("りんご", "pear")))
    heads = {"en": "Confusion matrix", "ja": "混同行列", "ko": "혼동 행렬"}
    assert heads[language] in text


def test_show_prints_the_text_where_no_notebook_is(capsys: pytest.CaptureFixture[str]) -> None:
    result = says([0, 1, 1], [0, 1, 0], ("a", "b"))
    result.show()
    assert capsys.readouterr().out == repr(result) + "\n"
    bundle = result._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}


def test_no_mistakes() -> None:
    result = says([0, 1], [0, 1], ("a", "b"))
    assert result.accuracy == 1.0
    assert result.mistakes == ()
    assert "mistakes" not in repr(result)


def test_scores_that_are_nan_do_not_stop_the_report() -> None:
    scores = scores_for([0, 1, 1], 2)
    scores[1] = math.nan
    data = Dataset(scores, torch.tensor([0, 1, 0]), ("a", "b"), name="broken")
    result = evaluate(Oracle(), data)
    assert math.isnan(result.loss)
    assert int(result.confusion.sum()) == 3
    assert [m.index for m in result.mistakes] == [2, 1]
    assert result.mistakes[1].confidence == 0.0


def test_pngs_inside_are_pngs() -> None:
    import base64

    html = evaluate(nn.Sequential(nn.Flatten(), nn.Linear(108, 3)), pictures(3)).picture().html
    encoded = re.findall(r"base64,([A-Za-z0-9+/=]+)", html)[0]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (6, 6)


def test_errors_say_what_to_do() -> None:
    two = TensorDataset(torch.randn(4, 5), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(FirstlightError, match=r"nn\.Linear"):
        evaluate(nn.Linear(6, 2), DataLoader(two))
    with pytest.raises(FirstlightError, match="one row of 2 scores"):
        evaluate(nn.Linear(5, 1), DataLoader(two, 4))
    with pytest.raises(FirstlightError, match="2 scores for each sample; the data has 3 classes"):
        evaluate(nn.Linear(5, 2), DataLoader(two), classes=["a", "b", "c"])
    with pytest.raises(FirstlightError, match="not one sample in the test split"):
        evaluate(nn.Linear(5, 2), DataLoader(Subset(two, [])))
    late = TensorDataset(torch.randn(9, 5), torch.tensor([0, 1, 0, 1, 0, 1, 0, 1, 2]))
    with pytest.raises(FirstlightError, match="A label is 2, but the model knows the classes 0 to 1"):
        evaluate(nn.Linear(5, 2), DataLoader(late, 2))
    pixels = TensorDataset(torch.randn(4, 5, 3), torch.zeros(4, 3, dtype=torch.int64))
    with pytest.raises(FirstlightError, match="does not classify"):
        evaluate(nn.Linear(3, 3), DataLoader(pixels, 5))


def test_the_result_stands_in_the_list_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path))
    model = nn.Sequential(nn.Flatten(), nn.Linear(432, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train, test = pictures(12), pictures(12)
    train.split, test.split = "train", "test"
    with Run.start("plain") as run, Recorder(run, model, optimizer):
        for images, labels in train.batches(4):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    evaluate(model, train)
    assert runs()[0].last("test/accuracy") is None, "that was no test"
    first = evaluate(model, test)
    assert runs()[0].last("test/accuracy") == first.accuracy
    assert runs()[0].last("test/loss") == pytest.approx(first.loss)
    assert "best test/accuracy" in repr(runs())
    evaluate(model, DataLoader(test, 5))
    assert len(run.metric("test/accuracy")) == 2
