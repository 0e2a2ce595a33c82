"""One step in each way that `fit` may choose: `python -m benchmarks.ways [resnet|lenet] [compile]`.

Printed are milliseconds of a forward and a backward pass, as `fit` measures them, whether the numbers agree with plain
float32, and for AdamW the time of an update, weight by weight and fused. The matrix product is from the same run.
"""

import copy
import itertools
import statistics
import sys
import time

import torch
from torch import nn

from benchmarks.ours import same
from benchmarks.ours.works import Residual
from firstlight.train.plan import StepPlan, attempt


def resnet() -> nn.Module:
    """The ResNet-like net of `works.py`, which needs no data here."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        Residual(64, 64, 1), Residual(64, 128, 2), Residual(128, 256, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def product(precision: torch.dtype, side: int = 2048) -> float:
    """GFLOP/s of a matrix product, the best of ten."""
    left, right = torch.randn(side, side).to(precision), torch.randn(side, side).to(precision)
    times = []
    for _turn in range(10):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return 2 * side**3 / min(times) / 1e9


def update_ms(model: nn.Module, *, fused: bool) -> float:
    """Median milliseconds of one step of AdamW."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), fused=fused)
    times = []
    for _turn in range(30):
        for weight in model.parameters():
            weight.grad = torch.ones_like(weight)
        start = time.perf_counter()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[2:])


def main() -> None:
    name = "lenet" if "lenet" in sys.argv else "resnet"
    model = same.lenet() if name == "lenet" else resnet()
    batch = (torch.randn(128, 3, 32, 32), torch.randint(10, (128,)))
    cpu = torch.device("cpu")
    print(f"{name}, batch 128, threads {torch.get_num_threads()}, torch {torch.__version__}")
    for precision in (torch.float32, torch.bfloat16):
        print(f"matrix product {str(precision).split('.')[1]:10} {product(precision):8.0f} GFLOP/s")
    plain = None
    layouts = (torch.contiguous_format, torch.channels_last)
    for compiled, precision, layout in itertools.product(
        (False, True) if "compile" in sys.argv else (False,), (torch.float32, torch.bfloat16), layouts
    ):
        way = StepPlan(precision, layout, compiled)
        trial = attempt(model, batch, nn.functional.cross_entropy, cpu, way)
        if trial is None:
            print(f"{way.name:34} fails")
            continue
        plain = plain or trial
        print(
            f"{way.name:34} {1e3 * trial.seconds:8.2f} ms, first step {trial.first_s:5.2f} s, "
            f"{'agrees' if trial.agrees(plain) else 'differs'}",
            flush=True,
        )
    print(f"AdamW {update_ms(model, fused=False):.2f} ms, fused {update_ms(model, fused=True):.2f} ms")


if __name__ == "__main__":
    main()
