"""`fl.memory` against the profiler: 29 models, trained with three optimizers and evaluated.

    python -m benchmarks.forecast [--json] [--only NAME] [--torchinfo]

For each, the forecast of what three steps take above the model and the batch, and the highest sum of the allocations
and frees that PyTorch's profiler records in those steps on the CPU. `--torchinfo` adds what torchinfo, in the
environment of `benchmarks.environment`, says about the same: parameters and the forward and backward pass.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint

from benchmarks.memory import Recurrent, Residual, Sentences

_LABELS = 10
_IMAGES = (32, 3, 32, 32)


def images() -> Tensor:
    return torch.randn(_IMAGES)


def labels(count: int = 32) -> Tensor:
    return torch.arange(count) % _LABELS


class Function(nn.Module):
    """A model whose forward pass is a function of its parts and its inputs."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.run = forward

    def forward(self, *inputs: Any) -> Any:
        return self.run(self, *inputs)


def conv(taken: int, given: int, side: int = 3, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(taken, given, side, padding=side // 2, **options)


def block(taken: int, given: int) -> nn.Sequential:
    return nn.Sequential(conv(taken, given, bias=False), nn.BatchNorm2d(given), nn.ReLU(inplace=True))


def head(taken: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(taken, _LABELS))


def linear() -> Any:
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, _LABELS)), (images(), labels())


def mlp() -> Any:
    layers = [nn.Flatten(), nn.Linear(3072, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, _LABELS)]
    return nn.Sequential(*layers), (torch.randn(512, 3, 32, 32), labels(512))


def mlp_dropout() -> Any:
    layers = [nn.Flatten(), nn.Linear(3072, 256), nn.BatchNorm1d(256), nn.GELU(), nn.Dropout(0.2), nn.Linear(256, 10)]
    return nn.Sequential(*layers), (torch.randn(512, 3, 32, 32), labels(512))


def cnn() -> Any:
    layers = [conv(3, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, _LABELS)), (images(), labels())


def lenet() -> Any:
    layers = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    rest = [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, _LABELS)]
    return nn.Sequential(*layers, *rest), (images(), labels())


def resnet() -> Any:
    layers = [conv(3, 32), Residual(32), nn.MaxPool2d(2), conv(32, 64), Residual(64)]
    return nn.Sequential(*layers, head(64)), (images(), labels())


def resnet_channels_last() -> Any:
    model, (given, classes) = resnet()
    last = torch.channels_last
    return model.to(memory_format=last), (given.contiguous(memory_format=last), classes)


def resnet_strides() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.first(x)
        x = functional.relu(self.long(x) + self.short(x))
        out: Tensor = self.head(x)
        return out

    long = nn.Sequential(conv(32, 64, stride=2, bias=False), nn.BatchNorm2d(64), nn.ReLU(), conv(64, 64))
    short = nn.Conv2d(32, 64, 1, stride=2)
    return Function(forward, first=block(3, 32), long=long, short=short, head=head(64)), (images(), labels())


def vgg() -> Any:
    layers: list[nn.Module] = []
    taken = 3
    for given in (32, 32, 0, 64, 64, 0, 128, 128, 0):
        layers += [block(taken, given)] if given else [nn.MaxPool2d(2)]
        taken = given or taken
    rest = [nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, _LABELS)]
    return nn.Sequential(*layers, *rest), (images(), labels())


def unet() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.two(functional.max_pool2d(one, 2))
        three = self.three(functional.max_pool2d(two, 2))
        two = self.four(torch.cat([two, self.up_two(three)], 1))
        out: Tensor = self.last(self.five(torch.cat([one, self.up_one(two)], 1)))
        return out

    parts: dict[str, nn.Module] = {
        "one": block(3, 32),
        "two": block(32, 64),
        "three": block(64, 128),
        "four": block(128, 64),
    }
    parts |= {"five": block(64, 32), "up_two": nn.ConvTranspose2d(128, 64, 2, stride=2)}
    parts |= {"up_one": nn.ConvTranspose2d(64, 32, 2, stride=2), "last": nn.Conv2d(32, 4, 1)}
    return Function(forward, **parts), (torch.randn(16, 3, 32, 32), torch.zeros(16, 32, 32).long())


def unet_upsampled() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.two(functional.max_pool2d(one, 2))
        back = functional.interpolate(two, scale_factor=2, mode="bilinear")
        out: Tensor = self.last(torch.cat([one, back], 1))
        return out

    parts = {"one": block(3, 32), "two": block(32, 64), "last": conv(96, 4)}
    return Function(forward, **parts), (torch.randn(16, 3, 32, 32), torch.zeros(16, 32, 32).long())


def densenet() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        out: Tensor = self.head(x)
        return out

    layers = nn.ModuleList(
        nn.Sequential(nn.BatchNorm2d(32 + 16 * at), nn.ReLU(), conv(32 + 16 * at, 16)) for at in range(5)
    )
    return Function(forward, first=conv(3, 32), layers=layers, head=head(112)), (images(), labels())


def mobilenet() -> Any:
    layers: list[nn.Module] = [block(3, 32)]
    for _layer in range(3):
        layers += [conv(32, 32, groups=32), nn.BatchNorm2d(32), nn.SiLU(), nn.Conv2d(32, 32, 1), nn.GroupNorm(8, 32)]
    return nn.Sequential(*layers, head(32)), (images(), labels())


def convolution_1d() -> Any:
    layers = [nn.Conv1d(8, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU(), nn.Conv1d(64, 64, 5, padding=2)]
    rest = [nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, _LABELS)]
    return nn.Sequential(*layers, *rest), (torch.randn(64, 8, 256), labels(64))


def convolution_3d() -> Any:
    layers = [nn.Conv3d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(16, 32, 3, padding=1), nn.ReLU()]
    rest = [nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(32, _LABELS)]
    return nn.Sequential(*layers, *rest), (torch.randn(8, 1, 16, 32, 32), labels(8))


def rnn() -> Any:
    return Function(lambda self, x: self.head(self.rnn(x)[0][:, -1]), rnn=nn.RNN(32, 128, batch_first=True),
                    head=nn.Linear(128, _LABELS)), (torch.randn(64, 50, 32), labels(64))  # fmt: skip


def lstm() -> Any:
    return Recurrent(), (torch.randn(32, 50, 64), labels())


def lstm_both_ways() -> Any:
    inner = nn.LSTM(40, 96, bidirectional=True)
    return Function(lambda self, x: self.head(self.lstm(x.transpose(0, 1))[0].mean(0)), lstm=inner,
                    head=nn.Linear(192, _LABELS)), (torch.randn(64, 40, 40), labels(64))  # fmt: skip


def gru() -> Any:
    return Function(lambda self, x: self.head(self.gru(x)[0][:, -1]), gru=nn.GRU(32, 128, 2, batch_first=True),
                    head=nn.Linear(128, _LABELS)), (torch.randn(64, 50, 32), labels(64))  # fmt: skip


def transformer() -> Any:
    return Sentences(), (torch.randint(8000, (16, 64)), labels(16))


def decoder() -> Any:
    def forward(self: Any, tokens: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        out: Tensor = self.head(self.layers(self.embedding(tokens), mask=mask, is_causal=True))
        return out.transpose(1, 2)

    layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, norm_first=True, dropout=0.0)
    parts = {"embedding": nn.Embedding(1000, 128), "head": nn.Linear(128, 1000)}
    layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    tokens = torch.randint(1000, (16, 64))
    return Function(forward, layers=layers, **parts), (tokens, tokens)


def encoder_decoder() -> Any:
    def forward(self: Any, given: dict[str, Tensor]) -> Tensor:
        out: Tensor = self.head(self.inner(self.embedding(given["from"]), self.embedding(given["to"])))
        return out.transpose(1, 2)

    inner = nn.Transformer(96, 4, 2, 2, 256, batch_first=True)
    parts = {"inner": inner, "embedding": nn.Embedding(500, 96), "head": nn.Linear(96, 500)}
    tokens = torch.randint(500, (16, 40))
    return Function(forward, **parts), ({"from": tokens, "to": tokens.clone()}, tokens)


class Attention(nn.Module):
    """Attention written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.three, self.last, self.head = nn.Linear(64, 192), nn.Linear(64, 64), nn.Linear(64, _LABELS)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.three(x).chunk(3, -1)
        weights = torch.softmax(query @ key.transpose(1, 2) / 8, -1)
        out: Tensor = self.head(self.last(weights @ value).mean(1))
        return out


def attention_by_hand() -> Any:
    return Attention(), (torch.randn(16, 128, 64), labels(16))


def vit() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        out: Tensor = self.head(self.norm(self.layers(patches + self.places.weight)).mean(1))
        return out

    layer = nn.TransformerEncoderLayer(128, 4, 256, batch_first=True, activation="gelu", norm_first=True)
    parts = {"patches": nn.Conv2d(3, 128, 4, stride=4), "places": nn.Embedding(64, 128), "norm": nn.LayerNorm(128)}
    layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    return Function(forward, layers=layers, head=nn.Linear(128, _LABELS), **parts), (images(), labels())


def autoencoder() -> Any:
    coder = [nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU()]
    back = [nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU()]
    given = images()
    return nn.Sequential(*coder, *back, nn.ConvTranspose2d(32, 3, 4, stride=2, padding=1)), (given, given.clone())


def vae() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        middle, spread = self.coder(x.flatten(1)).chunk(2, 1)
        code = middle + torch.randn_like(middle) * spread.exp()
        loss: Tensor = functional.mse_loss(self.back(code), x.flatten(1)) + (middle**2).mean() + spread.exp().mean()
        return loss

    coder = nn.Sequential(nn.Linear(3072, 256), nn.ReLU(), nn.Linear(256, 64))
    back = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 3072), nn.Sigmoid())
    return Function(forward, coder=coder, back=back), torch.randn(256, 3, 32, 32)


def gan() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        made = self.maker(torch.randn(len(x), 64, 1, 1))
        entropy = functional.binary_cross_entropy_with_logits
        real, fake, fooled = self.judge(x), self.judge(made.detach()), self.judge(made)
        ones, zeros = torch.ones_like(real), torch.zeros_like(real)
        return entropy(real, ones) + entropy(fake, zeros) + entropy(fooled, ones)

    maker = nn.Sequential(
        nn.ConvTranspose2d(64, 64, 8), nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 32, 4, 2, 1),
        nn.BatchNorm2d(32), nn.ReLU(), nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    judge = nn.Sequential(conv(3, 32, stride=2), nn.LeakyReLU(0.2), conv(32, 64, stride=2), nn.LeakyReLU(0.2), head(64))
    return Function(forward, maker=maker, judge=judge), images()


def embeddings() -> Any:
    parts = {"embedding": nn.Embedding(50_000, 64), "head": nn.Linear(64, _LABELS)}
    return Function(lambda self, x: self.head(self.embedding(x).mean(1)), **parts), (
        torch.randint(50_000, (256, 20)), labels(256),
    )  # fmt: skip


def shared() -> Any:
    def forward(self: Any, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for _time in range(4):
            x = torch.tanh(self.inner(x))
        return functional.linear(x, self.embedding.weight).transpose(1, 2)

    tokens = torch.randint(2000, (16, 32))
    return Function(forward, embedding=nn.Embedding(2000, 128), inner=nn.Linear(128, 128)), (tokens, tokens)


def in_place() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        x = self.one(x.flatten(1)).mul_(0.5).add_(1).relu_()
        out: Tensor = self.two(x).sigmoid_()
        return out

    given = torch.randn(512, 3, 32, 32), labels(512)
    return Function(forward, one=nn.Linear(3072, 1024), two=nn.Linear(1024, _LABELS)), given


def checkpointed() -> Any:
    def forward(self: Any, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False)
        out: Tensor = self.head(x)
        return out

    layers = nn.ModuleList(nn.Sequential(block(taken, 32), block(32, 32)) for taken in (3, 32, 32))
    return Function(forward, layers=layers, head=head(32)), (images(), labels())


def frozen() -> Any:
    back = nn.Sequential(block(3, 32), block(32, 64), nn.MaxPool2d(2), block(64, 64))
    return nn.Sequential(back.requires_grad_(False), head(64)), (images(), labels())


WORKS = (
    linear, mlp, mlp_dropout, cnn, lenet, resnet, resnet_channels_last, resnet_strides, vgg, unet, unet_upsampled,
    densenet, mobilenet, convolution_1d, convolution_3d, rnn, lstm, lstm_both_ways, gru, transformer, decoder,
    encoder_decoder, attention_by_hand, vit, autoencoder, vae, gan, embeddings, shared, in_place, checkpointed, frozen,
)  # fmt: skip
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda weights: torch.optim.SGD(weights, lr=1e-3),
    "momentum": lambda weights: torch.optim.SGD(weights, lr=1e-3, momentum=0.9),
    "AdamW": lambda weights: torch.optim.AdamW(weights),
}


def loss_of(outputs: Tensor, wanted: Any) -> Tensor:
    if wanted is None:
        return outputs
    if wanted.is_floating_point():
        return functional.mse_loss(outputs, wanted)
    return functional.cross_entropy(outputs, wanted)


def measured(model: nn.Module, batch: Any, make: Callable[[Any], torch.optim.Optimizer] | None) -> int:
    """The highest sum of what the profiler sees allocated, above what was there before."""
    given, wanted = batch if isinstance(batch, tuple) else (batch, None)

    def steps() -> None:
        if make is None:
            with torch.no_grad():
                model.eval()(given)
            return
        model.train()
        optimizer = make([weight for weight in model.parameters() if weight.requires_grad])
        for _step in range(3):
            loss = loss_of(model(given), wanted)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    steps()  # what the libraries keep from their first use on is not the step's
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        steps()
    kineto = seen.profiler.kineto_results.events()
    sizes = sorted((one.start_ns(), at, one.nbytes()) for at, one in enumerate(kineto) if one.name() == "[memory]")
    live = most = 0
    for _when, _at, count in sizes:
        live += count
        most = max(most, live)
    return most


def one(work: Callable[[], Any], way: str) -> dict[str, Any]:
    from firstlight.graph.forecast import memory

    torch.manual_seed(0)
    model, batch = work()
    make = OPTIMIZERS.get(way)
    found = memory(model, batch, make, train=make is not None, budget=0)
    took = measured(model, batch, make)
    error = (found.added - took) / took
    return {"model": work.__name__, "way": way, "forecast": found.added, "measured": took, "error": error,
            "phase": found.phase, "where": found.where, "operation": found.operation}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=[work.__name__ for work in WORKS])
    parser.add_argument("--torchinfo", action="store_true")
    options = parser.parse_args()
    if options.torchinfo:
        from benchmarks.environment import prepare

        words = [str(prepare()), "-m", "benchmarks.peers.torchinfo_memory"]
        sys.exit(subprocess.run(words, check=False).returncode)
    rows = []
    for work in WORKS:
        if options.only not in (None, work.__name__):
            continue
        for way in [*OPTIMIZERS, "evaluate"]:
            row = one(work, way)
            rows.append(row)
            if not options.json:
                print(
                    f"{row['model']:21} {way:9} forecast {row['forecast'] / 2**20:8.2f} MiB, measured "
                    f"{row['measured'] / 2**20:8.2f} MiB, error {100 * row['error']:+6.2f} %   "
                    f"{row['phase']} {row['where']} {row['operation']}",
                    flush=True,
                )
    errors = [abs(row["error"]) for row in rows]
    total = {"models": len({row["model"] for row in rows}), "median": statistics.median(errors), "worst": max(errors)}
    if options.json:
        print(json.dumps({"rows": rows, **total}))
    else:
        print(
            f"{total['models']} models: error {100 * total['median']:.2f} % median, {100 * total['worst']:.2f} % worst"
        )


if __name__ == "__main__":
    main()
