"""Proof by replay: shown where mending really helps, silent where the film is not the truth, and never felt."""

import hashlib
import linecache
import random
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from firstlight.doctor import examine
from firstlight.doctor import witness as listening
from firstlight.doctor.formulas import Reader, compute
from firstlight.doctor.observers import film
from firstlight.doctor.observers.film import Film
from firstlight.doctor.proof import Proof, with_proofs
from firstlight.doctor.replay import Replay, prove
from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.rules import all_rules
from firstlight.run import Run

RULES = {rule.code: rule for rule in all_rules()}

TASK = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 8)
y = (x[:, 0] + x[:, 1] > 0).long() + (x[:, 2] > 0.5).long()
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(40):
    at = torch.randperm(512)[:32]
    loss = nn.functional.cross_entropy(model(x[at]), y[at])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
STEP = "    optimizer.step()\n"
BACKWARD = "    optimizer.zero_grad()\n    loss.backward()\n"
GAN = RULES["L01"].lookalikes["a GAN, whose generator's loss adds to the gradients of the discriminator"]
LBFGS = (
    TASK.replace("SGD(model.parameters(), lr=0.5)", "LBFGS(model.parameters())").split("    loss =")[0]
    + """\
    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[at]), y[at])
        loss.backward()
        return loss
    optimizer.step(closure)
"""
)
FAULTS = {
    "L01": TASK.replace("    optimizer.zero_grad()\n", ""),
    "L02": TASK.replace(
        "    optimizer.zero_grad()\n    loss.backward()\n", "    loss.backward()\n    model.zero_grad()\n"
    ),
    "L15": TASK.replace("lr=0.5", "lr=1e-5"),
    "M01": TASK.replace("32, 3))", "32, 3), nn.Softmax(1))"),
    "M27": "import warnings\nwarnings.simplefilter('ignore')\n"
    + TASK.replace("32, 3)", "32, 1)")
    .replace("0.5)\nfor", "0.05)\nfor")
    .replace("cross_entropy(model(x[at]), y[at])", "mse_loss(model(x[at]), y[at].float())"),
    "L10": """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 32)
y = (x[:, :8].sum(1) + 2 * torch.randn(256) > 0).long()
model = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Dropout(0.8), nn.Linear(256, 2))
model.eval()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(40):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    "D12": """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
y = torch.arange(6).repeat_interleave(64)
x = torch.randn(6, 8)[y] * 2 + torch.randn(384, 8)
loader = DataLoader(TensorDataset(x, y), batch_size=16)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for a, b in loader:
        loss = nn.functional.cross_entropy(model(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
}


class Heard:
    """A program that has run under a witness of its own; only the film listens, so that findings are ours to name."""

    def __init__(self, source: str, name: str = "program.py") -> None:
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        listening.leave()
        self.witness = listening.witness = listening.Witness((Film,))
        self.witness.attend()
        self.space: dict[str, Any] = {"__name__": "__main__", "__file__": name}
        with redirect_stdout(None):
            exec(compile(source, name, "exec"), self.space)
        assert not self.witness.lost, self.witness.lost
        self.film = next(one for one in self.witness.observers if isinstance(one, Film))

    def proof(self, code: str, seconds: float = 300.0) -> Proof | None:
        finding = Finding("", rule=RULES[code])
        proved = prove(self.witness, Run(), [finding], seconds)
        return None if proved is None else Proof.from_json(proved["proofs"][0]["proof"])

    def reproduces(self) -> bool:
        with self.witness.apart():
            try:
                return self.film.whole() and Replay(self.film).reproduce(perf_counter() + 60)
            except Exception:  # noqa: BLE001 - whatever it is, it is no replay
                return False


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(film, "_FREE_S", 1e9)  # however busy the machine is, all steps are filmed
    yield
    listening.leave()


@pytest.mark.parametrize("code", FAULTS)
def test_a_real_difference_is_shown(code: str) -> None:
    heard = Heard(FAULTS[code])
    proof = heard.proof(code)
    assert proof is not None
    assert proof.real, proof
    assert proof.reproduced >= 10
    assert proof.seeds >= 5
    assert proof.mended[-1][0] < proof.written[-1][0]
    picture = proof.picture()
    assert picture.startswith("<svg")
    assert picture.count("<polyline") == 2
    assert "<title>" in picture
    assert "currentColor" in picture
    assert Proof.from_json(proof.as_json()) == proof


def test_a_harmless_variant_shows_nothing() -> None:
    proof = Heard(TASK.replace("32, 3))", "32, 3), nn.LogSoftmax(1))")).proof("M02")
    assert proof is not None
    assert not proof.real
    assert proof.picture() == ""
    assert "no better" in proof.sentence()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(TASK, id="right"),
        pytest.param(TASK.replace(STEP, f"{STEP}    model[0].weight.data.mul_(0.99)\n"), id="weights changed by hand"),
    ],
)  # fmt: skip
def test_without_the_fault_or_the_truth_there_is_no_proof(source: str) -> None:
    assert Heard(source).proof("L01") is None


def test_what_the_film_does_not_hold_is_noticed() -> None:
    noise = TASK.replace("import torch\n", "import random\nimport torch\n", 1).replace(
        "model(x[at])", "model(x[at]) * (1 + random.random())"
    )
    assert not Heard(noise).reproduces()
    inside = FAULTS["L01"].replace("model(x[at])", "net(x[at])").replace(
        "optimizer = ",
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.inner = model\n"
        "    def forward(self, x):\n        import random\n        return self.inner(x) * (1 + random.random())\n"
        "net = Net()\noptimizer = ",
    )  # fmt: skip
    heard = Heard(inside)
    assert heard.film.whole()
    assert not heard.reproduces()
    assert heard.proof("L01") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("cross_entropy(model(x[at]), y[at])", "cross_entropy(model(x[at]), y[at], label_smoothing=0.1)",
                     id="label smoothing"),
        pytest.param("nn.functional.cross_entropy(model(x[at]), y[at])",
                     "-model(x[at]).log_softmax(1).gather(1, y[at, None]).mean()", id="by hand"),
        pytest.param("cross_entropy(model(x[at]), y[at])", "cross_entropy(model(x[at]), y[at]) / 4", id="divided"),
        pytest.param("cross_entropy(model(x[at]), y[at])",
                     "cross_entropy(model(x[at]), y[at]) + 1e-3 * sum(w.pow(2).sum() for w in model.parameters())",
                     id="with weight penalty"),
        pytest.param("nn.ReLU()", "nn.Dropout(0.3)", id="dropout"),
        pytest.param("nn.ReLU()", "nn.BatchNorm1d(32)", id="batch norm"),
        pytest.param("SGD(model.parameters(), lr=0.5)", "AdamW(model.parameters(), lr=0.01)", id="AdamW"),
        pytest.param(STEP, "    nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n" + STEP, id="clipping"),
        pytest.param("    optimizer.zero_grad()\n",
                     "    for weight in model.parameters():\n        weight.grad = None\n", id="set back by hand"),
        pytest.param("for step in range(40):",
                     "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)\nfor step in range(40):\n"
                     "    schedule.step() if step else None", id="schedule"),
    ],
)  # fmt: skip
def test_the_film_gives_the_losses_again_to_the_last_bit(old: str, new: str) -> None:
    assert old in TASK
    assert Heard(TASK.replace(old, new, 1)).reproduces()


def digest(*values: Any) -> str:
    found = hashlib.sha256()
    for value in values:
        if isinstance(value, torch.Tensor):
            found.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, dict):
            found.update(digest(*(part for pair in value.items() for part in pair)).encode())
        elif isinstance(value, list | tuple):
            found.update(digest(*value).encode())
        else:
            found.update(repr(value).encode())
    return found.hexdigest()


def state(space: dict[str, Any], folder: Path) -> dict[str, str]:
    model, optimizer = space["model"], space["optimizer"]
    from torch.nn.modules import module
    from torch.optim import optimizer as optimizers

    return {
        "weights": digest(model.state_dict(), [weight.grad for weight in model.parameters()]),
        "modes": digest([one.training for one in model.modules()]),
        "hooks": digest([list(one._forward_hooks) for one in model.modules()], list(module._global_forward_hooks),
                        list(optimizers._global_optimizer_pre_hooks), list(optimizers._global_optimizer_post_hooks)),
        "optimizer": digest(optimizer.state_dict(), [group["lr"] for group in optimizer.param_groups]),
        "numbers": digest(torch.get_rng_state(), random.getstate(), np.random.get_state()),
        "grad mode": digest(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()),
        "called": digest(space.get("called")),
        "data": digest(space["x"], space["y"]),
        "files": digest(sorted(one.name for one in folder.iterdir())),
    }  # fmt: skip


def test_nothing_of_the_learners_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source = (
        FAULTS["L01"]
        .replace("nn.ReLU()", "nn.Dropout(0.2), nn.BatchNorm1d(32)")
        .replace("SGD(model.parameters(), lr=0.5)", "Adam(model.parameters(), lr=0.01)")
        .replace(
            "for step",
            "called = []\nmodel[0].register_forward_hook(lambda *_: called.append(len(called)))\n"
            "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 50)\nfor step",
        )
    )
    heard = Heard(source)
    heard.space["model"][1].eval()
    before, random_before = state(heard.space, tmp_path), heard.film.model
    steps = heard.witness.steps, heard.witness.backwards, heard.witness.own_s
    torch.set_grad_enabled(False)
    try:
        before["grad mode"] = state(heard.space, tmp_path)["grad mode"]
        proof = heard.proof("L01")
        after = state(heard.space, tmp_path)
    finally:
        torch.set_grad_enabled(True)
    assert proof is not None
    assert after == before
    assert (heard.witness.steps, heard.witness.backwards, heard.witness.own_s) == steps
    assert random_before is not heard.space["model"]
    assert capsys.readouterr() == ("", "")


def test_a_model_that_writes_files_is_not_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = FAULTS["L01"].replace(
        "model = ",
        "class Writing(nn.Module):\n    def forward(self, x):\n        with open('seen.txt', 'a') as f:\n"
        "            f.write('x')\n        return x\n"
        "model = ",
    ).replace("nn.Sequential(", "nn.Sequential(Writing(), ")  # fmt: skip
    heard = Heard(source)
    size = (tmp_path / "seen.txt").stat().st_size
    assert heard.proof("L01") is None
    assert (tmp_path / "seen.txt").stat().st_size == size
    (tmp_path / "other.txt").write_text("files can be written again")


def test_a_model_that_counts_outside_of_itself_is_not_replayed() -> None:
    source = FAULTS["L01"].replace(
        "model = ",
        "count = 0\nclass Counting(nn.Module):\n    def forward(self, x):\n        global count\n        count += 1\n"
        "        return x\nmodel = ",
    ).replace("nn.Sequential(", "nn.Sequential(Counting(), ")  # fmt: skip
    heard = Heard(source)
    count = heard.space["count"]
    assert heard.proof("L01") is None
    assert heard.space["count"] == count == 40


def test_the_time_is_kept() -> None:
    heard = Heard(FAULTS["L01"])
    assert heard.proof("L01", 0.0) is None
    began = perf_counter()
    heard.proof("L01", 0.5)
    assert perf_counter() - began < 2.0


def test_a_film_ends_and_then_costs_nothing() -> None:
    heard = Heard(TASK.replace("range(40)", "range(300)"))
    assert heard.film.over
    assert 16 <= len(heard.film.frames) <= 64
    assert heard.film._names == {}
    assert heard.reproduces()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(GAN, id="GAN"),
        pytest.param(LBFGS, id="LBFGS"),
        pytest.param(TASK.replace("model = nn.Sequential(", "model = nn.Sequential(nn.Identity(), ").replace(
            "optimizer =", "model[0].big = [0] * 20_000\noptimizer ="), id="a large list"),
    ],
)  # fmt: skip
def test_what_cannot_be_replayed_is_not_filmed(source: str) -> None:
    heard = Heard(source)
    assert not heard.film.whole()
    assert heard.film.model is None


def test_a_trial_call_before_the_loop_begins_no_film() -> None:
    heard = Heard(TASK.replace("for step", "model(torch.zeros(1, 8))\nfor step"))
    assert heard.reproduces()


def test_an_alarm_that_rests_on_measures_asks_where_no_difference_showed() -> None:
    same = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    proof = Proof("L14", False, 20, 6, (0, 60), same, same, 32, 0.5)
    for code, voice in (("L14", "question"), ("L01", "alarm")):
        run = Run()
        row = {"code": code, "file": None, "line": None, "proof": proof.as_json()}
        run.add_fact(0, "proof", {"took_s": 0.5, "budget_s": 3.0, "proofs": [row]})
        rule: Rule = RULES[code]
        (found,) = with_proofs([Finding("", voice="alarm", rule=rule)], run)
        assert found.speaks == voice
        assert found.proof == proof


def test_examine_tries_and_says_what_it_took() -> None:
    name, source = "examined.py", FAULTS["L01"]
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    listening.attend()
    exec(compile(source, name, "exec"), {"__name__": "__main__"})
    assert all(one.proof is None for one in examine(proof=False).findings)
    report = examine(proof_s=20.0)
    found = next(one for one in report.findings if one.code == "L01")
    assert found.proof is not None
    assert found.proof.real
    assert found.proof.sentence() in report.as_text()
    assert "<svg" in report.findings_as_html()
    assert "at most 20 s" in report.summary()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_formula_is_the_loss(reduction: str) -> None:
    torch.manual_seed(0)
    model, given = nn.Linear(4, 1), torch.randn(6, 1)
    from firstlight.doctor.formulas import MARK

    output = model(torch.randn(6, 4))
    node: Any = output.grad_fn
    node.metadata[MARK] = {0: (1, 0)}
    loss = nn.functional.smooth_l1_loss(output.squeeze(1), given.squeeze(1), reduction=reduction) * 0.5
    reader = Reader(1, {}, rows=6)
    formula = reader.read(loss)
    assert torch.equal(compute(formula, [output], reader.given, {}, 6), loss)
