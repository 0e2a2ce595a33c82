"""`fit` goes on only with the training that it was: its augmentation and the data that judge it are compared too."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import firstlight as fl
from firstlight.data.augment import shift
from firstlight.run import CheckpointDiffers, Checkpoints, Run
from firstlight.run.found import FORMAT
from firstlight.run.listing import checkpoints_in


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pictures(count: int = 32, seed: int = 1) -> TensorDataset:
    maker = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.rand(count, 1, 6, 6, generator=maker), torch.arange(count) % 2)


def fitted(train: Any = None, test: Any = None, **options: Any) -> Run:
    torch.manual_seed(11)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    wanted: dict[str, Any] = {"epochs": 4, "batch_size": 8, "seed": 2, "name": "fitted", "device": "cpu"} | options
    wanted |= {"precision": "float32", "memory_format": "contiguous"}
    return fl.fit(model, pictures() if train is None else train, pictures(12) if test is None else test, **wanted)


def stopped(**options: Any) -> Run:
    def stop(run: Run) -> None:
        run.request_stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("firstlight.run.record.audience", [stop])
        run = fitted(**options)
    assert run.status == "stopped"
    return run


def noise(inputs: Tensor) -> Tensor:
    return inputs + 0.1


def other_noise(inputs: Tensor) -> Tensor:
    return inputs + 0.2


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ("flip+shift", None, r"augment was flip\+shift and is nothing"),
        (None, "flip", "augment was nothing and is flip"),
        (noise, other_noise, r"augment was tests\.train\.test_resume\.noise and is .*other_noise"),
        (shift(1), shift(2), r"augment was shift\(pixels=1.* and is shift\(pixels=2"),
    ],
)
@pytest.mark.parametrize("load", [lambda data: data, lambda data: DataLoader(data, 8, shuffle=True)])
def test_another_augmentation_is_refused(load: Callable[[Any], Any], then: Any, now: Any, said: str) -> None:
    run = stopped(train=load(pictures()), augment=then)
    with pytest.raises(CheckpointDiffers, match=said):
        fitted(train=load(pictures()), augment=now, resume=run.folder)
    assert fitted(train=load(pictures()), augment=then, resume=run.folder).status == "finished"


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (pictures(11), r"data\.test\.samples was 12 and is 11"),
        (pictures(12, seed=3), r"data\.test\.content was"),
        ([(torch.zeros(2, 1, 6, 6), torch.arange(2))], r"data\.test\.type was DataLoader and is list"),
    ],
)
def test_other_judging_data_are_refused(test: Any, said: str) -> None:
    run = stopped()
    with pytest.raises(CheckpointDiffers, match=said):
        fitted(test=test, resume=run.folder)
    assert fitted(resume=run.folder).status == "finished"


def test_a_checkpoint_of_an_older_form_is_refused_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(augment="flip")
    monkeypatch.setattr("firstlight.run.found.FORMAT", FORMAT + 1)
    monkeypatch.setattr("firstlight.run.checkpoint.FORMAT", FORMAT + 1)
    with pytest.raises(CheckpointDiffers, match=rf"versions\.checkpoint was {FORMAT} and is {FORMAT + 1}"):
        fitted(augment="flip", resume=run.folder)


def test_of_a_finished_fit_the_last_checkpoint_is_kept() -> None:
    run = fitted(checkpoint=Checkpoints(seconds=1000, steps=1))
    assert run.folder is not None
    assert checkpoints_in(run.folder) == ["step-16"]
