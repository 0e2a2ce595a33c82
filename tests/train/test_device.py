"""choose_device: an accelerator has to prove itself; PyTorch's meta device plays the one that is broken."""

import pytest
import torch

from firstlight.errors import FirstlightError
from firstlight.train import choose_device
from firstlight.train import device as room


def test_without_an_accelerator_the_cpu_is_taken_and_the_line_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_device(candidates=[]) == torch.device("cpu")
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "Device: CPU" in out
    assert "GFLOP/s measured" in out
    assert "no accelerator" in out
    assert f"threads: {torch.get_num_threads()}" in out


def test_no_announcement_when_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    choose_device(announce=False)
    assert capsys.readouterr().out == ""


def test_a_device_that_cannot_compute_is_passed_over_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_device(candidates=["meta"]) == torch.device("cpu")
    out = capsys.readouterr().out
    assert "meta was tried and does not work: Cannot copy out of meta tensor" in out


def test_a_device_that_pytorch_was_not_built_for_is_passed_over() -> None:
    if torch.version.cuda is not None:
        pytest.skip("this PyTorch is built with CUDA")
    assert choose_device(announce=False, candidates=["cuda"]) == torch.device("cpu")


def test_a_device_that_computes_something_else_is_passed_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = room._probe

    def wrong_on_index_1(device: torch.device) -> room._Answer:  # "cpu:1" computes on the CPU, then is off by a little
        answer = real(torch.device("cpu"))
        return answer if device.index is None else room._Answer(answer.loss, tuple(g + 0.1 for g in answer.gradients))

    room._fault.cache_clear()
    monkeypatch.setattr(room, "_probe", wrong_on_index_1)
    try:
        assert choose_device(candidates=["cpu:1"]) == torch.device("cpu")
    finally:
        room._fault.cache_clear()
    assert "its results differ from those of the CPU" in capsys.readouterr().out


def test_the_first_that_works_is_taken() -> None:
    assert choose_device(announce=False, candidates=["meta", "cpu:0"]) == torch.device("cpu:0")


def test_the_variable_forces(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FIRSTLIGHT_DEVICE", "cpu")
    assert choose_device(candidates=["cpu:0"]) == torch.device("cpu")
    assert "chosen by FIRSTLIGHT_DEVICE" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["meta", "gpu", "cuda:99"])
def test_a_forced_device_that_does_not_work_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("FIRSTLIGHT_DEVICE", name)
    with pytest.raises(FirstlightError, match=f"The device {name} cannot be used") as caught:
        choose_device()
    assert isinstance(caught.value, RuntimeError)
    assert len(str(caught.value).splitlines()) == 3


def test_the_probe_draws_no_random_number_and_works_without_gradients() -> None:
    room._fault.cache_clear()
    before = torch.get_rng_state()
    with torch.no_grad():
        assert room._fault(torch.device("cpu")) == ""
    assert torch.equal(before, torch.get_rng_state())


def test_the_probe_agrees_with_a_gradient_by_differences() -> None:
    answer = room._probe(torch.device("cpu"))
    assert answer.loss.ndim == 0
    assert [tuple(g.shape) for g in answer.gradients] == [(6, 3, 3, 3), (5, 216)]
    # Each row of the last layer's gradient is a sum of (probability - target) * hidden: the rows sum to zero.
    assert torch.allclose(answer.gradients[1].sum(dim=0), torch.zeros(216), atol=1e-6)


def test_speed_is_a_plausible_number() -> None:
    assert 0.5 < room._gigaflops(torch.device("cpu")) < 1e5


def test_every_visible_accelerator_is_tried() -> None:
    kinds = {device.type for device in room._visible()}
    assert ("cuda" in kinds) == torch.cuda.is_available()
    assert ("mps" in kinds) == torch.backends.mps.is_available()


def test_names_of_this_machine() -> None:
    assert room._processor()
    assert 1 <= room.cores() <= 4096
    assert room.short(torch.device("cpu")).startswith("CPU")
