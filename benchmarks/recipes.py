"""What each idea of `fl.recipes.cifar10` is worth: the recipe, and the recipe without one of them, on CIFAR-10.

    .venv/bin/python -m benchmarks.recipes                              # the recipe for two cores, five seeds
    .venv/bin/python -m benchmarks.recipes --ablation --seeds 3         # and without each idea: long
    .venv/bin/python -m benchmarks.recipes --ablation muon mirror       # some of them
    .venv/bin/python -m benchmarks.recipes --size small --epochs 1

Prints the mean test accuracy, its standard deviation over the seeds, and the median training time. Each number is from
a whole training: whitening, `fit`, and one evaluation at the end. The seeds are interleaved, so that a slow moment
meets every variant.
"""

import argparse
import contextlib
import io
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

import firstlight as fl
from benchmarks import cifar
from firstlight.train.recipes import Recipe

Change = Callable[[Recipe], object]


def without_whitening(recipe: Recipe) -> None:
    """A first layer that is learned like the others."""
    recipe.model.whiten.reset_parameters()
    recipe.model.whiten.requires_grad_(True)


def without_passing_on(recipe: Recipe) -> None:
    """Filters that begin as torch's own do."""
    for layer in recipe.model.blocks.modules():
        if isinstance(layer, nn.Conv2d):
            layer.reset_parameters()


def with_torchs_head(recipe: Recipe) -> None:
    """A last layer that begins as torch's own does."""
    recipe.model.head.reset_parameters()


def without_mirror_at_the_end(recipe: Recipe) -> None:
    """One look at each test picture."""
    recipe.model.mirror = False


def with_relu(recipe: Recipe) -> None:
    """ReLU between the layers."""
    for module in recipe.model.modules():
        if hasattr(module, "activation"):
            module.activation = nn.ReLU()


def with_torchs_norm(recipe: Recipe) -> None:
    """BatchNorm with a learned scale and torch's long memory."""
    for layer in recipe.model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.1
            layer.weight.requires_grad_(True)


def with_options(recipe: Recipe, **options: object) -> None:
    """Other arguments of `fit`."""
    recipe.options.update(options)


IDEAS: dict[str, tuple[str, Change]] = {
    "muon": (
        "AdamW for all weights, not Muon",
        partial(with_options, optimizer=torch.optim.AdamW, lr=3e-3),
    ),
    "muon-sgd": (
        "SGD with momentum, not Muon",
        partial(
            with_options, optimizer=partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=5e-4), lr=0.1
        ),
    ),
    "whitening": ("first layer learned, not whitening", without_whitening),
    "dirac": ("filters begin as torch's own do", without_passing_on),
    "head": ("last layer begins as torch's own does", with_torchs_head),
    "norm": ("BatchNorm as torch has it", with_torchs_norm),
    "gelu": ("ReLU, not GELU", with_relu),
    "smoothing": ("no label smoothing", partial(with_options, label_smoothing=0.0)),
    "triangle": ('schedule "one-cycle", not a straight line down', partial(with_options, schedule="one-cycle")),
    "alternating": ('flip by chance: augment="flip+shift"', partial(with_options, augment="flip+shift")),
    "augment": ("no flip and no shift", partial(with_options, augment=None)),
    "mirror": ("one look at each test picture", without_mirror_at_the_end),
    "bfloat16": ("float32 throughout", partial(with_options, precision="float32")),
    "channels-last": ("memory in torch's own order", partial(with_options, memory_format="contiguous")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="medium", choices=["small", "medium", "large"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--ablation", nargs="*", choices=[*IDEAS, []], metavar="IDEA", help=", ".join(IDEAS))
    parser.add_argument("--threads", type=int, help="as many as torch wants by default")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    cifar.prepare()
    train, test = fl.load("cifar10", progress=False)
    variants: dict[str, Change] = {"the recipe": lambda _recipe: None}
    if asked.ablation is not None:
        variants |= {IDEAS[name][0]: IDEAS[name][1] for name in asked.ablation or IDEAS}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, size {asked.size}", flush=True)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for seed in range(asked.seeds):
        for name, change in variants.items():
            found[name].append(train_once(train, test, change, asked.size, asked.epochs, seed, asked.threads))
            print(f"  seed {seed}, {name}: {found[name][-1][0]:.2%}, {found[name][-1][1]:.1f} s", file=sys.stderr)
    table(found)


def train_once(
    train: fl.Dataset, test: fl.Dataset, change: Change, size: str, epochs: int | None, seed: int, threads: int | None
) -> tuple[float, float]:
    """Test accuracy, and seconds from the whitening to the end of `fit`."""
    torch.manual_seed(seed)
    begun = time.perf_counter()
    recipe = fl.recipes.cifar10(train, size=size, epochs=epochs)
    change(recipe)
    with contextlib.redirect_stdout(io.StringIO()):
        fl.fit(recipe.model, train, validation=0, seed=seed, threads=threads or "auto", **recipe.options)
    seconds = time.perf_counter() - begun
    return fl.evaluate(recipe.model, test).accuracy, seconds


def table(found: dict[str, list[tuple[float, float]]]) -> None:
    """Print what was found, as Markdown."""
    whole = statistics.mean(accuracy for accuracy, _ in found["the recipe"])
    print("| variant | test accuracy | against the recipe | s |")
    print("|---|---|---|---|")
    for name, results in found.items():
        accuracies = [accuracy for accuracy, _ in results]
        mean, seconds = statistics.mean(accuracies), statistics.median(s for _, s in results)
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        against = "" if name == "the recipe" else f"{100 * (mean - whole):+.2f}"
        print(f"| {name} | {mean:.2%} ± {spread:.2%} | {against} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
