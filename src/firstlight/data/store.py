"""Where the inputs of a dataset lie: held once in memory, and once more on an accelerator that has room for them.

Shapes: N samples, C channels, H height, W width, F features.
"""

from typing import TYPE_CHECKING, Union

import psutil
import torch
from torch import Tensor

if TYPE_CHECKING:
    from firstlight.data.trees import Tree

Inputs = Union[Tensor, list["Tree"]]  # noqa: UP007 (a string cannot stand beside |)
_SHARE_OF_FREE = 0.5  # the model, its gradients and activations need room as well
_SMALL = 256 << 20  # bytes: taken along even where a device does not say how much is free


class Store:
    """Inputs that a dataset and its parts (`subset`, `split_off`) share.

    Attributes:
        inputs: Pictures (N, C, H, W), features (N, F), or a list of trees.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self._copies: dict[torch.device, tuple[int, Tensor]] = {}

    def on(self, device: torch.device, wanted: int) -> Tensor | None:
        """All inputs on this device, moved there at the first call; None where they are better moved batch by batch.

        Args:
            device: Any but the CPU.
            wanted: How many of the samples will be read. A small part of a large store does not move the whole.
        """
        if not isinstance(self.inputs, Tensor):
            return None
        version = -1 if self.inputs.is_inference() else self.inputs._version
        found = self._copies.get(device)
        if found is not None and found[0] == version:  # unchanged since it was moved
            return found[1]
        self._copies.pop(device, None)
        if 2 * wanted < len(self.inputs) or self.inputs.nbytes > room_for_data(device):
            return None
        self._copies[device] = version, self.inputs.to(device)
        return self._copies[device][1]


def room_for_data(device: torch.device) -> int:
    """Bytes on an accelerator that a dataset may take: half of what is free."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        # What torch holds for later use is free too.
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    elif device.type == "xpu" and hasattr(torch.xpu, "mem_get_info"):
        free, _total = torch.xpu.mem_get_info(device)
    elif device.type == "mps":  # shares the memory of the machine
        free = min(
            torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory(), psutil.virtual_memory().available
        )
    else:
        return _SMALL
    return int(free * _SHARE_OF_FREE)
