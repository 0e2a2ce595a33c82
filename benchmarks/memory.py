"""The memory that a training step is forecast to need, against what it takes: ten kinds of models.

    python -m benchmarks.memory [--json] [--only NAME]

Each model has a process of its own. There, the forecast is made from two and four samples; then three steps on the
whole batch are made, and the highest resident memory above that before them is read (`firstlight.train.memory`). The
last lines say what `fit` holds besides: how often the data is there, and the peak of a whole run.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Work = tuple[nn.Module, Tensor, Callable[[nn.Module], torch.optim.Optimizer]]
_LABELS = 10


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), fused=True)


def plain_adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters())


def momentum(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def linear() -> Work:
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, _LABELS)), torch.randn(8192, 3, 32, 32), momentum


def mlp() -> Work:
    layers = [nn.Flatten(), nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, _LABELS)]
    return nn.Sequential(*layers), torch.randn(4096, 1, 28, 28), adam


def lenet() -> Work:
    features = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, _LABELS)]
    return nn.Sequential(*features, *head), torch.randn(2048, 3, 32, 32), plain_adam


class Residual(nn.Module):
    """Two convolutions with BatchNorm, and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        convolution = lambda: nn.Conv2d(channels, channels, 3, padding=1, bias=False)  # noqa: E731
        self.inner = nn.Sequential(
            convolution(), nn.BatchNorm2d(channels), nn.ReLU(), convolution(), nn.BatchNorm2d(channels)
        )

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.relu(images + self.inner(images))


def resnet() -> Work:
    layers = [nn.Conv2d(3, 64, 3, padding=1), Residual(64), nn.MaxPool2d(2), nn.Conv2d(64, 128, 3, padding=1)]
    head = [Residual(128), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, _LABELS)]
    return nn.Sequential(*layers, *head), torch.randn(256, 3, 32, 32), momentum


def resnet_channels_last() -> Work:
    model, images, optimizer = resnet()
    last = torch.channels_last
    return model.to(memory_format=last), images.contiguous(memory_format=last), optimizer


def resnet_bfloat16() -> Work:
    return resnet_channels_last()


class Sentences(nn.Module):
    """A small transformer encoder over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8000, 192)
        layer = nn.TransformerEncoderLayer(192, 6, 768, batch_first=True, dropout=0.1)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(192, _LABELS)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.head(self.encoder(self.embedding(tokens)).mean(1))
        return out


def transformer() -> Work:
    return Sentences(), torch.randint(8000, (96, 128)), adam


class Recurrent(nn.Module):
    """An LSTM whose last state is read."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(64, 256, num_layers=2, batch_first=True)
        self.head = nn.Linear(256, _LABELS)

    def forward(self, steps: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(steps)[0][:, -1])
        return out


def lstm() -> Work:
    return Recurrent(), torch.randn(256, 100, 64), plain_adam


def depthwise() -> Work:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1), nn.SiLU()]
    for _layer in range(4):
        layers += [nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.GroupNorm(8, 64), nn.Conv2d(64, 64, 1), nn.SiLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, _LABELS)]
    return nn.Sequential(*layers), torch.randn(256, 3, 32, 32), adam


def large_weights() -> Work:
    layers = [nn.Linear(4096, 8192), nn.ReLU(), nn.Linear(8192, 4096), nn.ReLU(), nn.Linear(4096, _LABELS)]
    return nn.Sequential(*layers), torch.randn(32, 4096), adam


WORKS = (
    linear, mlp, lenet, resnet, resnet_channels_last, resnet_bfloat16, transformer, lstm, depthwise, large_weights,
)  # fmt: skip


def one(work: Callable[[], Work]) -> dict[str, Any]:
    from firstlight.train.memory import forecast, peak_memory  # here: the models serve in .venv-peers, too

    torch.manual_seed(0)
    model, inputs, make = work()
    labels = torch.randint(_LABELS, (len(inputs),))
    optimizer, loss = make(model), nn.functional.cross_entropy
    precision = torch.bfloat16 if "bfloat16" in work.__name__ else torch.float32
    # The libraries take their own memory at the first use: that is not the step's.
    small = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(288, 8))
    small(torch.randn(4, 3, 8, 8)).sum().backward()
    began = time.perf_counter()
    found = forecast(model, (inputs[:4], labels[:4]), loss, optimizer, precision=precision)
    took = time.perf_counter() - began
    with peak_memory() as peak:
        for _step in range(3):
            given = inputs.clone()  # the batch that the data makes, while the last one is still there
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                value = loss(model(given), labels)
            value.backward()
            optimizer.step()
    return {
        "model": work.__name__,
        "batch": len(inputs),
        "forecast_bytes": found.bytes(len(inputs)),
        "measured_bytes": peak.bytes,
        "exact": peak.exact,
        "forecast_s": took,
    }


def whole_fit() -> dict[str, Any]:
    """What `fit` holds above the data, with test data and with a part kept aside."""
    import firstlight as fl
    from firstlight.train.memory import peak_memory

    train, test = fl.load("fashion_mnist_small")
    # Large enough to be seen beside the rest: 8 times the pictures.
    big = train.subset(torch.arange(len(train)).repeat(8))
    data_bytes = big.inputs.nbytes
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    fl.fit(model, test, test, epochs=1)  # the libraries' own memory
    found: dict[str, Any] = {"data_bytes": data_bytes}
    for name, options in (("test", {"test": test}), ("validation", {"validation": 0.1})):
        with peak_memory() as peak:
            fl.fit(model, big, epochs=1, **options)
        found[f"fit_{name}_peak_bytes"] = peak.bytes
    return found


def main() -> None:
    from firstlight.locale.units import size

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=[work.__name__ for work in WORKS] + ["fit"])
    options = parser.parse_args()
    if options.only:
        found = whole_fit() if options.only == "fit" else one(next(w for w in WORKS if w.__name__ == options.only))
        print(json.dumps(found))
        return
    rows = []
    for name in [work.__name__ for work in WORKS] + ["fit"]:
        words = [sys.executable, "-m", "benchmarks.memory", "--only", name]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        if ran.returncode:
            sys.exit(f"{name} failed:\n{ran.stderr[-3000:]}")
        row = json.loads(ran.stdout.splitlines()[-1])
        rows.append(row)
        if options.json:
            continue
        if name == "fit":
            for key, value in row.items():
                print(f"{key}: {size(value)}")
            continue
        ratio = row["forecast_bytes"] / row["measured_bytes"]
        print(
            f"{name:21} batch {row['batch']:5}: forecast {size(row['forecast_bytes']):>9}, "
            f"measured {size(row['measured_bytes']):>9}, ratio {ratio:.2f}; "
            f"the forecast took {1000 * row['forecast_s']:.0f} ms"
        )
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
