"""What other tools said, as they said it on programs of `dev` and `clean`, and what it counts as."""

import pytest
from benchmarks.doctor.baselines import LEVELS, MEANINGS, TOOLS, judge, meaning, row

SAID = [
    ("torch_audit", "TA104: No gradients found in the model. Did you forget `loss.backward()`?", "L04"),
    ("torch_audit", "TA200: Linear dims (12 -> 32) not divisible by 8 (FP16 misaligned).", None),
    ("torchtest2", "optimizer_coverage: 2 trainable parameter(s) are not in the optimizer: fc.weight, fc.bias.", "L05"),
    (
        "torchtest2",
        "loss: the loss (4.888) is a leaf tensor: it was re-created, e.g. with torch.tensor(loss.item(), "
        "requires_grad=True), so no gradient reaches the model",
        "L07",
    ),
    ("guardtower", "grad_connectivity: 4 trainable parameter(s) received NO gradient — they are disconnected", "M13"),
    ("guardtower", "grad_norms: global gradient norm = 1.234e+00", None),
    ("torch_preflight", "TG003: `.backward()` runs in this loop but nothing calls `zero_grad()`", "L01"),
    (
        "pytorch",
        "Using a target size (torch.Size([32])) that is different to the input size (torch.Size([32, 1])).",
        "M27",
    ),
]


@pytest.mark.parametrize(("tool", "words", "code"), SAID)
def test_a_recorded_message_is_about_the_fault_it_names(tool: str, words: str, code: str | None) -> None:
    known = meaning(tool, words)
    assert known is not None
    assert code in known[1] if code else not known[1]


def test_a_message_that_is_not_listed_is_told_and_counts_as_an_alarm() -> None:
    assert meaning("pytorch", "something new") is None
    one = judge("pytorch", [("warning", "something new")], {"codes": ["M27"], "voice": "alarm"}, errors=False)
    assert one == {"right": False, "accepted": [False], "alarms": ["something new"], "unlisted": ["something new"]}


def test_every_line_of_the_table_is_of_a_tool_and_can_be_reached() -> None:
    assert MEANINGS
    for tool, part, _codes in MEANINGS:
        assert tool in TOOLS
        known = meaning(tool, part)
        assert known is not None
        assert known[0] == part, f"{part} is hidden by {known[0]}"
    assert set(LEVELS) < set(TOOLS)


def test_warnings_count_and_errors_alone_are_counted_apart() -> None:
    twin = {"codes": ["M01"], "also": ["E11"], "voice": "alarm"}
    said = [("warning", "TG005: Model ends with `nn.Softmax(...)`"), ("error", "TG002: this module runs a forward")]
    both, errors = (judge("torch_preflight", said, twin, errors=only) for only in (False, True))
    assert both["right"]
    assert both["accepted"] == [True, False]
    assert not errors["right"]
    assert errors["alarms"] == ["TG002"]


def test_information_is_enough_where_a_twin_asks_for_no_alarm() -> None:
    said = [("info", "frozen: 4/6 parameter tensors are frozen (99 elements). Confirm this is intentional")]
    for voice, right in (("alarm", False), ("note", True)):
        one = judge("guardtower", said, {"codes": ["M15"], "voice": voice}, errors=False)
        assert one["right"] is right
        assert not one["alarms"]


def test_a_tool_that_could_not_run_has_said_nothing() -> None:
    for said in (None, [("failed", "Traceback")]):
        one = judge("guardtower", said, {"codes": ["L01"], "voice": "alarm"}, errors=False)
        assert not one["right"]
        assert not one["alarms"]


def test_sums() -> None:
    broken = {"kind": "broken", "symptom_free": True, "right": True, "accepted": [True, False], "alarms": ["a", "b"]}
    clean = {"kind": "clean", "symptom_free": False, "right": False, "accepted": [], "alarms": ["a"]}
    quiet = clean | {"alarms": []}
    assert row([broken, clean, quiet]) == ["1/1 100%", "1/1 100%", "1/1 100%", "1 of 2", "1/3  33%"]
