"""From raw inputs to what a model reads. Shapes: B batch, C channels, H height, W width, F features."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PreparePictures(nn.Module):
    """Resize where needed, scale pixels to 0..1, normalise each channel.

    One module serves training, testing and the exported model, so that they cannot disagree. It consists of plain
    operations only. The resize is a safety net for pictures of another size; `read_picture` resizes with more care.

    Args:
        mean: Mean of each channel over the training split, pixels scaled to 0..1.
        std: Standard deviation of each channel, likewise.
        size: Height and width that the model reads.

    Shape:
        input: (B, C, *, *), `uint8` or float from 0 to 255
        output: (B, C, H, W), `float32`

    Example:
        >>> prepare = PreparePictures(mean=[0.5], std=[0.25], size=(2, 2))
        >>> prepare(torch.tensor([[[[0, 255], [51, 204]]]], dtype=torch.uint8)).flatten().tolist()
        [-2.0, 2.0, -1.1..., 1.2...]
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: list[float], std: list[float], size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        # (pixels / 255 - mean) / std as one multiplication and one addition. One number per channel, shaped to meet
        # (B, C, H, W). A channel that never changes is left unscaled.
        scale = [1 / (255 * (s or 1.0)) for s in std]
        shift = [-m / (s or 1.0) for m, s in zip(mean, std, strict=True)]
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float32).view(1, -1, 1, 1))

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, pixels scaled to 0..1. Shape: (1, C, 1, 1)."""
        return 1 / (255 * self.scale)

    @property
    def mean(self) -> Tensor:
        """Mean of each channel, likewise."""
        return -self.shift * self.std

    def forward(self, pictures: Tensor) -> Tensor:
        """What the model reads."""
        pixels = pictures.to(torch.float32)
        if pixels.shape[-2:] != self.size:
            pixels = F.interpolate(pixels, size=self.size, mode="bilinear", align_corners=False)
        # The product is a tensor of its own, so adding in place changes nobody's pictures. Two operations rather than
        # addcmul: it is several times slower here, and may round once where others round twice.
        return pixels.mul(self.scale).add_(self.shift)

    def undo(self, prepared: Tensor) -> Tensor:
        """Back from prepared values to `uint8` pixels, to look at them."""
        pixels = (prepared.detach().cpu().float() * self.std.cpu() + self.mean.cpu()) * 255
        return pixels.round().clamp(0, 255).to(torch.uint8)

    def extra_repr(self) -> str:
        """What `print(preprocess)` says."""
        return f"size={self.size}, mean={_short(self.mean)}, std={_short(self.std)}"


class PrepareFeatures(nn.Module):
    """Normalise each column with the mean and standard deviation of the training split.

    Shape:
        input: (B, F)
        output: (B, F), `float32`

    Example:
        >>> prepare = PrepareFeatures(mean=[10.0, 0.0], std=[2.0, 1.0])
        >>> prepare(torch.tensor([[12.0, 1.0]])).tolist()
        [[1.0, 1.0]]
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor([s or 1.0 for s in std], dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        """What the model reads."""
        return (features.to(torch.float32) - self.mean) / self.std

    def extra_repr(self) -> str:
        """What `print(preprocess)` says."""
        return f"features={self.mean.numel()}"


def prepare_pictures(pictures: Tensor) -> PreparePictures:
    """The preprocessing for pictures, from the statistics of these (training) pictures.

    Shape:
        pictures: (N, C, H, W), `uint8`
    """
    mean, std = channel_statistics(pictures)
    return PreparePictures(mean, std, size=(pictures.shape[2], pictures.shape[3]))


def channel_statistics(pictures: Tensor) -> tuple[list[float], list[float]]:
    """Exact mean and standard deviation of each channel, pixels scaled to 0..1.

    Counts how often each of the 256 values occurs, a thousand pictures at a time: exact in whole numbers, and no copy
    of the dataset in floating point.
    """
    counts = np.zeros((pictures.shape[1], 256), np.int64)
    for start in range(0, len(pictures), 1000):
        chunk = pictures[start : start + 1000].numpy()
        for channel in range(len(counts)):
            counts[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    total = counts.sum(1)
    mean = counts @ values / total
    variance = np.maximum(counts @ values**2 / total - mean**2, 0)
    constant = (counts > 0).sum(1) == 1  # rounding must not turn "never changes" into a tiny divisor
    return mean.tolist(), np.where(constant, 0.0, np.sqrt(variance)).tolist()


def prepare_features(features: Tensor, as_they_are: list[bool] | None = None) -> PrepareFeatures:
    """The preprocessing for rows of features, from the statistics of these (training) rows.

    Args:
        features: The training rows.
        as_they_are: True for columns that are not to be normalised: the 0 and 1 of words.

    Shape:
        features: (N, F)
    """
    wide = features.double()
    std, mean = torch.std_mean(wide, dim=0, correction=0)
    # A column that never changes, apart from rounding, is only centred.
    std = torch.where(std > 1e-9 * wide.abs().amax(0), std, 1.0)
    if as_they_are is not None:
        left_alone = torch.tensor(as_they_are, dtype=torch.bool)
        mean, std = mean.masked_fill(left_alone, 0.0), std.masked_fill(left_alone, 1.0)
    # Values beyond what float32 can tell apart from 0 or infinity would make the division useless.
    std = std.clamp(min=1e-30, max=3e38)
    return PrepareFeatures(mean.tolist(), std.tolist())


def _short(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.flatten().tolist()]
