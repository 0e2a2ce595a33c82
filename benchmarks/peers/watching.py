"""What it costs to look at each training step with another tool: `python -m benchmarks.peers.watching TOOL WORK`.

Run by `benchmarks.watch_peers`. Two copies of a work of `benchmarks.watched` learn in turns, one plain, one with the
tool, on one thread. Each tool is used as its documentation has it:

- torchlens: `trace` makes the forward pass, `log_backward` the backward pass; operations, activations, gradients.
- torchlens-record: its `Recorder`, made for loops, keeps the outputs of ReLU (LeNet) or of the linear layers alone.
- torchview: `draw_graph` on the batch of the step; the picture is described for Graphviz and not drawn.
- torchinfo: `summary` on the batch of the step.
- histograms: what `wandb.watch(log="gradients", log_freq=1)` computes, by hand and without sending it anywhere: a hook
  on each parameter, a histogram of 64 bins of its gradient.
- histograms-1000: the same at wandb's default, each 1,000th step.
"""

import copy
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness import report
from benchmarks.watched import WORKS

SECONDS = 3.0  # each tool and work, about
Step = Callable[[Tensor, Tensor], None]


def plain(model: nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    def step(inputs: Tensor, labels: Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return step


class Tool(ABC):
    """A way of looking at steps, and what it saw in the newest one."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.model, self.optimizer = model, optimizer

    @abstractmethod
    def step(self, inputs: Tensor, labels: Tensor) -> None:
        """One step of the copy that learns, looked at."""

    def leave(self) -> None:  # noqa: B027 (most put nothing there)
        """Leave nothing in torch while the plain copy learns."""

    def found(self) -> dict[str, Any]:
        return {}


class TorchLens(Tool):
    def step(self, inputs: Tensor, labels: Tensor) -> None:
        import torchlens

        self.optimizer.zero_grad()
        self.log = torchlens.trace(self.model, inputs, capture=torchlens.options.CaptureOptions(save_grads=True))
        outputs = self.log[self.log.output_layers[0]].out
        self.log.log_backward(nn.functional.cross_entropy(outputs, labels))
        self.optimizer.step()

    def leave(self) -> None:
        from torchlens.backends.torch.wrappers import unwrap_torch

        unwrap_torch()

    def found(self) -> dict[str, Any]:
        return {"operations": len(self.log), "backward": self.log.num_grad_fns}


class TorchLensRecord(TorchLens):
    def step(self, inputs: Tensor, labels: Tensor) -> None:
        import torchlens
        from torchlens.fastlog import Recorder

        self.optimizer.zero_grad()
        name = "relu" if any(isinstance(part, nn.ReLU) for part in self.model.children()) else "linear"
        with Recorder(self.model, save=torchlens.func(name), backward_ready=True) as recorder:
            outputs = recorder.log(inputs)
            nn.functional.cross_entropy(outputs, labels).backward()
        self.optimizer.step()
        self.recording = recorder.recording

    def found(self) -> dict[str, Any]:
        return {"outputs": len(self.recording)}


class TorchView(Tool):
    def step(self, inputs: Tensor, labels: Tensor) -> None:
        from torchview import draw_graph

        plain(self.model, self.optimizer)(inputs, labels)
        self.graph = draw_graph(self.model, input_data=inputs, mode="train")

    def found(self) -> dict[str, Any]:
        return {"nodes": len(self.graph.id_dict), "edges": len(self.graph.edge_list)}


class TorchInfo(Tool):
    def step(self, inputs: Tensor, labels: Tensor) -> None:
        from torchinfo import summary

        plain(self.model, self.optimizer)(inputs, labels)
        self.table = summary(self.model, input_data=[inputs], mode="train", verbose=0)

    def found(self) -> dict[str, Any]:
        return {"layers": len(self.table.summary_list)}


class Histograms(Tool):
    every = 1

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(model, optimizer)
        self.row: dict[str, tuple[list[float], list[float]]] = {}
        self._step = plain(model, optimizer)
        for name, parameter in model.named_parameters():
            parameter.register_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[[Tensor], None]:
        calls = 0

        def hook(gradient: Tensor) -> None:
            nonlocal calls
            calls += 1
            if calls % self.every:
                return
            flat = gradient.detach().clone().reshape(-1)
            if not torch.isfinite(flat).any():
                return
            flat = flat[torch.isfinite(flat)] if not torch.isfinite(flat).all() else flat
            low, high = flat.min().item(), flat.max().item()
            counts = flat.histc(bins=64, min=low, max=high)
            self.row[f"gradients/{name}"] = counts.tolist(), torch.linspace(low, high, 65).tolist()

        return hook

    def step(self, inputs: Tensor, labels: Tensor) -> None:
        self._step(inputs, labels)

    def found(self) -> dict[str, Any]:
        return {"histograms": len(self.row)}


class RareHistograms(Histograms):
    every = 1000


TOOLS: dict[str, type[Tool]] = {
    "torchlens": TorchLens,
    "torchlens-record": TorchLensRecord,
    "torchview": TorchView,
    "torchinfo": TorchInfo,
    "histograms": Histograms,
    "histograms-1000": RareHistograms,
}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    name, work_name = sys.argv[1:]
    work = WORKS[work_name]
    torch.manual_seed(0)
    model = work.model()
    loader = work.loader()

    def batches() -> Iterator[tuple[Tensor, ...]]:
        while True:
            yield from loader

    source = batches()
    one, two = model, copy.deepcopy(model)
    alone = plain(one, work.optimizer(one.parameters()))
    tool = TOOLS[name](two, work.optimizer(two.parameters()))

    def block(step: Step, steps: int) -> float:
        given = [next(source) for _step in range(steps)]
        begun = time.perf_counter()
        for inputs, labels in given:
            step(inputs, labels)
        return (time.perf_counter() - begun) / steps

    block(alone, 3)
    block(tool.step, 2)
    steps = max(1, min(work.block, int(0.25 / block(tool.step, 1))))
    plain_s: list[float] = []
    tool_s: list[float] = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(plain_s) < 3:
        tool.leave()
        block(alone, 1)  # what leaving left cold is no plain step's
        plain_s.append(block(alone, steps))
        block(tool.step, 1)
        tool_s.append(block(tool.step, steps))
    alone_s, with_s = sum(plain_s) / len(plain_s), sum(tool_s) / len(tool_s)
    report(with_s, plain_s=alone_s, ratio=with_s / alone_s, steps=steps * len(tool_s), found=tool.found(),
           learns=all(weight.grad is not None for weight in two.parameters()))  # fmt: skip


if __name__ == "__main__":
    main()
