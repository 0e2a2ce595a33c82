"""Which device trains: one that has shown on a real operation that it computes what the CPU computes."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from firstlight.errors import FirstlightError
from firstlight.locale import Text, _, say

_VARIABLE = "FIRSTLIGHT_DEVICE"


class DeviceUnusable(FirstlightError, RuntimeError):
    """A device was asked for by name and does not work."""

    text = Text(
        what="The device {device} cannot be used.",
        why="A small forward and backward pass was tried on it: {reason}",
        do="Name another device, such as cpu, or name none (in FIRSTLIGHT_DEVICE either): one that works is taken.",
    )


def choose_device(announce: bool = True, *, candidates: Sequence[str | torch.device] | None = None) -> torch.device:
    """The fastest kind of device that works here: an accelerator if one proves itself, the CPU otherwise.

    Each candidate runs a small network forward and backward, and its loss and gradients are compared with the CPU's.
    One that raises an error or computes something else is passed over, and the line that is printed says why.
    `FIRSTLIGHT_DEVICE` names the device to take instead; one that does not work is then an error.

    Args:
        announce: Print one line: the device, its size, its measured speed, and the reason for a fall-back.
        candidates: Devices to try, in order; by default CUDA (ROCm included), MPS, XPU and whatever else
            `torch.accelerator` reports.

    Returns:
        The device. Nothing is moved to it.

    Raises:
        DeviceUnusable: `FIRSTLIGHT_DEVICE` names a device that does not work.

    Example:
        >>> choose_device(announce=False, candidates=[])
        device(type='cpu')
    """
    forced = os.environ.get(_VARIABLE)
    if forced:
        device, reason = require(forced), _("chosen by FIRSTLIGHT_DEVICE")
    else:
        device, reason = _first_that_works(_visible() if candidates is None else candidates)
    if announce:
        line = describe(device)
        say(f"{line} ({reason})" if reason else line)
    return device


def require(name: str | torch.device) -> torch.device:
    """The device of this name, after it has shown that it works.

    Raises:
        DeviceUnusable: It has not.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceUnusable(device=name, reason=_sentence(error)) from error
    if reason := _fault(device):
        raise DeviceUnusable(device=device, reason=reason)
    return device


def home_of(model: nn.Module) -> torch.device:
    """Where a model is: the device of its first tensor."""
    for tensor in [*model.parameters(), *model.buffers()]:
        return tensor.device
    return torch.device("cpu")


def describe(device: torch.device) -> str:
    """One line about a device: its name, its size and how fast it multiplies matrices here."""
    gflops = round(_gigaflops(device))
    if device.type == "cpu":
        return _(
            "Device: CPU ({name}), cores: {cores}, threads: {threads}, {gflops} GFLOP/s measured",
            name=_processor(),
            cores=cores(),
            threads=torch.get_num_threads(),
            gflops=gflops,
        )
    return _("Device: {device} ({name}), {gflops} GFLOP/s measured", device=device, name=_name(device), gflops=gflops)


def short(device: torch.device) -> str:
    """What a device is called in a line that says other things too."""
    if device.type == "cpu":
        return _("CPU (threads: {threads})", threads=torch.get_num_threads())
    return f"{device} ({_name(device)})"


def cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _visible() -> list[torch.device]:
    kinds = []
    if torch.cuda.is_available():
        kinds.append("cuda")
    if torch.backends.mps.is_available():
        kinds.append("mps")
    if torch.xpu.is_available():
        kinds.append("xpu")
    if torch.accelerator.is_available():  # NPUs and others that come as a plug-in to PyTorch
        current = torch.accelerator.current_accelerator()
        if current is not None and current.type not in kinds:
            kinds.append(current.type)
    return [torch.device(kind) for kind in kinds]


def _first_that_works(candidates: Sequence[str | torch.device]) -> tuple[torch.device, str]:
    faults: list[str] = []
    for candidate in candidates:
        device = torch.device(candidate)
        fault = _fault(device)
        if not fault:
            return device, " ".join(faults)
        faults.append(_("{device} was tried and does not work: {reason}", device=device, reason=fault))
    return torch.device("cpu"), " ".join(faults) or _why_none()


def _why_none() -> str:
    if torch.version.cuda is None and torch.version.hip is None and sys.platform != "darwin":
        return _("no accelerator: this PyTorch is built for the CPU only")
    return _("no accelerator: PyTorch sees none on this machine")


@dataclass(frozen=True)
class _Answer:
    """What the probe computed: a loss and the gradient of every weight."""

    loss: Tensor
    gradients: tuple[Tensor, ...]


@cache
@torch.enable_grad()
def _fault(device: torch.device) -> str:
    """Why a device cannot train, in words; empty where it can."""
    try:
        here, there = _probe(torch.device("cpu")), _probe(device)
    except (RuntimeError, AssertionError, OSError) as error:  # PyTorch asserts that it was compiled with CUDA
        return _sentence(error)
    # Accelerators round convolutions to TF32 (10 bits) by default: 1e-3 relative, and sums of them.
    pairs = zip((here.loss, *here.gradients), (there.loss, *there.gradients), strict=True)
    if all(torch.allclose(ours, theirs, rtol=2e-2, atol=2e-2) for ours, theirs in pairs):
        return ""
    return _("its results differ from those of the CPU.")


def _probe(device: torch.device) -> _Answer:
    generator = torch.Generator().manual_seed(0)  # the global generator is the learner's
    images = torch.randn(4, 3, 8, 8, generator=generator)
    filters = torch.randn(6, 3, 3, 3, generator=generator) / 5
    weights = torch.randn(5, 6 * 6 * 6, generator=generator) / 15
    images, filters, weights = (tensor.to(device) for tensor in (images, filters, weights))
    parameters = (filters.requires_grad_(), weights.requires_grad_())
    hidden = nn.functional.conv2d(images, filters).relu().flatten(1)
    loss = nn.functional.cross_entropy(hidden @ weights.t(), torch.arange(4, device=device))
    gradients = torch.autograd.grad(loss, parameters)
    return _Answer(loss.detach().cpu(), tuple(gradient.cpu() for gradient in gradients))


def _sentence(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


@cache
def _gigaflops(device: torch.device) -> float:
    """Multiply matrices for a tenth of a second; the best time counts, as neighbours only ever slow it down."""
    side = 512 if device.type == "cpu" else 4096
    matrix = torch.full((side, side), 0.5, device=device)
    best, end = float("inf"), time.perf_counter() + 0.1
    for turn in range(100):
        start = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # item() waits until the accelerator is done
        if turn:  # the first call loads kernels
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() > end:
                break
    return 2 * side**3 / best / 1e9


def _name(device: torch.device) -> str:
    if device.type in ("cuda", "xpu"):
        return str(getattr(torch, device.type).get_device_name(device))
    return _processor() if device.type == "mps" else device.type


@cache
def _processor() -> str:
    """The CPU's name as its maker writes it, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine()
