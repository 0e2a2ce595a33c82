"""Where the time of `fl.fit` goes, for one of five works: `python -m benchmarks.ours.works NAME`.

The run is `fl.fit` with its defaults. Once it is warm, the torch profiler watches some of its steps; what it saw is
divided by whose it is. Steps that it did not watch give the time of a step. Memory is what `fit` itself notes.

- data: operations in front of and between the model's: slicing, preprocessing, augmentation, loss
- forward, backward, optimizer: inside the model, inside autograd's engine, inside `optimizer.step` and `zero_grad`
- other threads: operations of threads beside the training's, such as a batch prepared ahead
- rest: no operation of torch's: Python, the recorder, waiting. `recorder` is what the recorder measured of itself
"""

import itertools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.data import TensorDataset
from torch.utils.flop_counter import FlopCounterMode

import firstlight as fl
from benchmarks.harness import report
from benchmarks.ours import same
from firstlight.train.plan import has_bfloat16

WARM, WATCHED = 20, 10  # steps before the profiler starts, and steps that it watches


class Residual(nn.Module):
    """Two 3x3 convolutions around which the input is added."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        same_shape = stride == 1 and channels_in == channels
        self.skip = nn.Identity() if same_shape else nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(out)) + self.skip(x)).relu()


class Reader(nn.Module):
    """A small transformer encoder over sequences of 64 numbers of words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(1000, 128), nn.Parameter(0.02 * torch.randn(64, 128))
        layer = nn.TransformerEncoderLayer(128, 4, 256, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(128, 10)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.encoder(self.words(words) + self.places).mean(1))


def lenet() -> tuple[nn.Module, Any, dict[str, Any]]:
    return same.lenet(), same.cifar10(40_000)[0], {"batch_size": 128}


def resnet() -> tuple[nn.Module, Any, dict[str, Any]]:
    model = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        Residual(64, 64, 1), Residual(64, 128, 2), Residual(128, 256, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip
    return model, same.cifar10(12_800)[0], {"batch_size": 128}


def mlp() -> tuple[nn.Module, Any, dict[str, Any]]:
    layers = [nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(*layers), fl.load("fashion_mnist_small")[0], {"batch_size": 128, "epochs": 3}


def transformer() -> tuple[nn.Module, Any, dict[str, Any]]:
    words = torch.randint(1000, (4_800, 64), generator=torch.Generator().manual_seed(0))
    return Reader(), TensorDataset(words, words[:, 0] % 10), {"batch_size": 64}


def linear() -> tuple[nn.Module, Any, dict[str, Any]]:
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), same.cifar10(50_000)[0], {"batch_size": 1024, "epochs": 2}


WORKS: dict[str, Callable[[], tuple[nn.Module, Any, dict[str, Any]]]] = {
    work.__name__: work for work in (lenet, resnet, mlp, transformer, linear)
}


class Watch:
    """Starts and stops the profiler between two steps of somebody else's loop."""

    def __init__(self) -> None:
        self.optimizer: torch.optim.Optimizer | None = None
        self.ends: list[float] = []
        self.profiler = profile(activities=[ProfilerActivity.CPU])
        self.watched_s = 0.0
        self.since = 0.0

    def __call__(self, optimizer: torch.optim.Optimizer, *_words: Any) -> None:
        if optimizer is not self.optimizer:  # fit tries a few steps with copies first: only the last one trains
            self.optimizer, self.ends = optimizer, []
        self.ends.append(time.perf_counter())
        if len(self.ends) == WARM:
            self.profiler.start()
            self.since = time.perf_counter()
        elif len(self.ends) == WARM + WATCHED:
            self.watched_s = time.perf_counter() - self.since
            self.profiler.stop()

    def step_s(self) -> float:
        """The median, of the steps after the profiler's."""
        ends = self.ends[WARM + WATCHED + 1 :]
        return statistics.median(b - a for a, b in itertools.pairwise(ends))

    def shares(self) -> dict[str, float]:
        """Of the watched wall time. Other threads work at the same time, so theirs comes on top."""
        found = dict.fromkeys(("data", "forward", "backward", "optimizer", "other threads"), 0.0)
        events = self.profiler.events()
        home = next(event.thread for event in events if event.name.startswith("Optimizer.step"))
        for event in events:
            if event.cpu_parent is None:
                share = event.time_range.elapsed_us() / 1e6 / self.watched_s
                found[_whose(event.name) if event.thread == home else "other threads"] += share
        found["rest"] = max(0.0, 1 - sum(share for whose, share in found.items() if whose != "other threads"))
        return {whose: round(share, 3) for whose, share in found.items()}


def _whose(name: str) -> str:
    if name.startswith("Optimizer."):
        return "optimizer"
    if name.startswith("autograd::"):
        return "backward"
    return "forward" if name == "forward" else "data"


def label_forward(model: nn.Module) -> None:
    """Put the model's forward pass under one name in the profile."""
    running: list[Any] = []

    def enter(*_words: Any) -> None:
        if not torch.compiler.is_compiling():
            running.append(record_function("forward"))
            running[-1].__enter__()

    def leave(*_words: Any) -> None:
        if running:
            running.pop().__exit__(None, None, None)

    model.register_forward_pre_hook(enter)
    model.register_forward_hook(leave)


def step_flops(model: nn.Module, inputs: Tensor) -> int:
    """Multiplications and additions of matrix products and convolutions in one step, forward and backward."""
    with FlopCounterMode(display=False) as counted:
        model(inputs).sum().backward()
    model.zero_grad()
    return int(counted.get_total_flops())


def fastest_gemm() -> tuple[torch.dtype, float]:
    """In which precision this machine multiplies matrices quickest now, and how quick."""
    dtypes = [torch.float32, *([torch.bfloat16] if has_bfloat16(torch.device("cpu")) else [])]
    return max(((dtype, gemm_peak(dtype)) for dtype in dtypes), key=lambda found: found[1])


def gemm_peak(dtype: torch.dtype) -> float:
    """The best rate of a square matrix product on this machine now, in operations a second."""
    best = 0.0
    for side in (1024, 2048, 4096):
        a, b = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
        for _ in range(8 if side < 4096 else 3):
            begun = time.perf_counter()
            a @ b
            best = max(best, 2 * side**3 / (time.perf_counter() - begun))
    return best


def main() -> None:
    name = sys.argv[1]
    model, data, options = WORKS[name]()
    batch = options["batch_size"]
    sample = next(iter(data.batches(batch)))[0] if isinstance(data, fl.Dataset) else data.tensors[0][:batch]
    flops = step_flops(model, sample)
    label_forward(model)
    watch = Watch()
    hook = register_optimizer_step_post_hook(watch)
    begun = time.perf_counter()
    try:
        run = fl.fit(model, data, validation=0 if isinstance(data, fl.Dataset) else None, **{"epochs": 1, **options})
    finally:
        hook.remove()
    seconds = time.perf_counter() - begun
    precision = str(run.info.get("precision", "float32"))
    dtype, peak = fastest_gemm()  # whatever fit has chosen
    step_s = watch.step_s()
    report(
        seconds,
        work=name,
        step_ms=1000 * step_s,
        samples_per_s=batch / step_s,
        shares=watch.shares(),
        recorder=run.info.get("overhead"),
        peak_memory=run.info.get("peak_memory"),
        data_bytes=_bytes(data),
        precision=precision,
        line=run.info.get("device_line"),
        step_gflop=flops / 1e9,
        gemm=str(dtype).split(".")[1],
        gemm_gflops=peak / 1e9,
        share_of_peak=flops / step_s / peak,
    )


def _bytes(data: Any) -> int:
    tensors = [data.inputs, data.labels] if isinstance(data, fl.Dataset) else data.tensors
    return sum(tensor.nbytes for tensor in tensors)


if __name__ == "__main__":
    main()
