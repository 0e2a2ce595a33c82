"""What test_world.py starts under torchrun: trains a small model and saves what came out."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler

from firstlight.data.dataset import Dataset
from firstlight.run import Run, audience
from firstlight.train import LossNotFinite, fit
from firstlight.train.world import World


def clouds(count: int, seed: int) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    inputs = torch.randn(count, 4, generator=generator)
    inputs[:, 0] += 2.0 * labels
    return Dataset(inputs, labels, ("a", "b", "c"), name="clouds")


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))


def train(**options: Any) -> tuple[nn.Module, Run]:
    torch.manual_seed(3 + World.here().rank)  # the processes begin with different weights; the first one's count
    model = net()
    data, test = clouds(203, 0), clouds(51, 1)  # neither divides by the batch size or by two
    run = fit(model, data, test, epochs=2, batch_size=32, lr=0.05, seed=4, device="cpu", class_weights="balanced",
              label_smoothing=0.1, **options)  # fmt: skip
    return model, run


def stopped() -> tuple[nn.Module, Run]:
    if World.here().first:
        audience.append(lambda run: run.request_stop())
    model, data = net(), clouds(64, 0)
    return model, fit(model, data, data, epochs=1000, batch_size=8, device="cpu")


def broken() -> tuple[nn.Module, Run]:
    model, data = net(), clouds(64, 0)
    data.inputs[5] = torch.nan  # reaches one of the two processes first
    try:
        fit(model, data, clouds(20, 1), epochs=3, batch_size=8, device="cpu")
    except LossNotFinite as error:
        return model, error.run
    raise AssertionError("nan was not noticed")


def own_sampler() -> tuple[nn.Module, Run]:
    model, data = net(), clouds(64, 0)
    here = World.here()
    sampler: DistributedSampler[Any] = DistributedSampler(data, here.size, here.rank)
    loader = DataLoader(data, 8, sampler=sampler)
    return model, fit(model, loader, clouds(20, 1), epochs=2, device="cpu")


def main(folder: Path) -> None:
    rank = World.here().rank
    for name, work in {"plain": train, "own": own_sampler, "broken": broken, "stopped": stopped}.items():
        model, run = work()
        values = {metric: [point.value for point in run.metric(metric)] for metric in run.metrics()}
        facts = {"status": run.status, "values": values, "on_disk": run.folder is not None}
        torch.save({"weights": model.state_dict(), **facts}, folder / f"{name}-{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
