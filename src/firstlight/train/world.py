"""The processes that train together: torchrun's environment, read here and nowhere else.

Alone, a `World` has one process and every method costs next to nothing, so that `fit` reads the same in both cases.

Shapes: B samples in a batch.
"""

import atexit
import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

FINE, STOPPED, BROKEN = range(3)  # what a process may report; the largest wins


@dataclass(frozen=True)
class World:
    """Who we are among the processes of this training.

    Attributes:
        rank: Our number; 0 keeps the record and speaks.
        size: How many processes there are.
        local_rank: Our number on this machine; it picks the accelerator.

    Example:
        >>> World().first
        True
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @classmethod
    def here(cls) -> "World":
        """Read `RANK`, `WORLD_SIZE` and `LOCAL_RANK`, which torchrun sets for each process."""
        variables = {"rank": "RANK", "size": "WORLD_SIZE", "local_rank": "LOCAL_RANK"}
        return cls(**{field: int(os.environ[name]) for field, name in variables.items() if name in os.environ})

    @property
    def first(self) -> bool:
        """Whether this process keeps the record."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is only this process."""
        return self.size == 1

    def device(self, chosen: torch.device) -> torch.device:
        """The accelerator of this process: one each, by `local_rank`."""
        if self.alone or chosen.type == "cpu" or ":" in str(chosen):
            return chosen
        return torch.device(chosen.type, self.local_rank)

    def join(self, device: torch.device) -> None:
        """Connect the processes, once. They stay connected until Python exits, so that `fit` can be called again."""
        if self.alone or dist.is_initialized():
            return
        backend = {"cuda": "nccl", "xpu": "xccl"}.get(device.type, "gloo")
        dist.init_process_group(backend)
        atexit.register(_leave)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model itself, or `DistributedDataParallel` around it, which averages gradients during `backward`."""
        if self.alone:
            return model
        only = None if device.type == "cpu" else [device]
        return nn.parallel.DistributedDataParallel(model, device_ids=only)

    def agree(self, word: int, device: torch.device) -> int:
        """The largest of what all processes report, so that all of them stop, or none."""
        if self.alone:
            return word
        words = torch.tensor(word, device=device)
        dist.all_reduce(words, dist.ReduceOp.MAX)
        return int(words.item())

    def total(self, values: Tensor, device: torch.device) -> Tensor:
        """The sum over all processes."""
        if self.alone:
            return values
        values = values.to(device)
        dist.all_reduce(values)
        return values.cpu()

    def share_seed(self, device: torch.device) -> int:
        """One seed that is the same in every process, drawn by the first from its global generator."""
        seed = torch.randint(2**62, (), device="cpu").to(device)
        dist.broadcast(seed, 0)
        return int(seed.item())

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the first one's buffers, such as BatchNorm's running statistics, before measuring."""
        if not self.alone:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
