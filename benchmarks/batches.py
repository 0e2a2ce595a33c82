"""What a batch costs beside the step that uses it, and whether preparing it elsewhere or earlier pays.

    .venv/bin/python -m benchmarks.batches

CIFAR-10, batches of 128, the tutorial's LeNet in float32. Every way takes its turn in each round, so that a busy moment
meets all of them; medians over the rounds, with the lowest and the highest.

- the same batch again: no loader at all, the floor of the step
- train.batches: as shipped
- ... in a thread: the next batch made in a second thread while the model works
- prepared once: all pictures as float32 in memory, four times the bytes of the raw pixels
- DataLoader over tensors: the same samples one by one
"""

import queue
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.ours import same

STEPS, WARM_UP, ROUNDS = 100, 10, 5
Batches = Iterator[tuple[Any, Tensor]]


def main() -> None:
    train, _test = same.cifar10(50_000)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; ms for one step with its batch")
    prepared = train.preprocess(train.inputs)
    changed = {"shuffle": True, "augment": "alternating-flip+shift"}

    def once() -> Batches:
        order = torch.randperm(len(train))
        for start in range(0, len(train), same.BATCH):
            chosen = order[start : start + same.BATCH]
            yield prepared.index_select(0, chosen), train.labels[chosen]

    ways: dict[str, Callable[[], Batches]] = {
        "the same batch again": lambda: cycle([next(iter(train.batches(same.BATCH)))]),
        "train.batches": lambda: iter(train.batches(same.BATCH, shuffle=True)),
        "train.batches, in a thread": lambda: in_a_thread(train.batches(same.BATCH, shuffle=True)),
        "alternating-flip+shift": lambda: iter(train.batches(same.BATCH, **changed)),
        "alternating-flip+shift, in a thread": lambda: in_a_thread(train.batches(same.BATCH, **changed)),
        "prepared once": once,
        "DataLoader over tensors": lambda: iter(
            torch.utils.data.DataLoader(
                torch.utils.data.TensorDataset(prepared, train.labels), same.BATCH, shuffle=True
            )
        ),
    }
    step = stepper()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _round in range(ROUNDS):
        for name, way in ways.items():
            batches = way()
            found[name].append(step_ms(batches, step))
            if hasattr(batches, "close"):
                batches.close()
    floor = statistics.median(found["the same batch again"])
    for name, times in found.items():
        middle = statistics.median(times)
        print(
            f"{name:36} {middle:6.2f}  ({min(times):.2f} to {max(times):.2f})  {(middle - floor) / middle:6.1%} batch"
        )
    print("one batch alone, in microseconds:")
    for augment in (None, "flip", "alternating-flip", "shift", "cutout", "colour", "alternating-flip+shift"):
        for layout in (None, torch.channels_last):
            batches = iter(train.batches(same.BATCH, shuffle=True, augment=augment, memory_format=layout))
            print(
                f"  {augment or 'plain':24} {'channels last' if layout else 'contiguous':14} {alone_us(batches):5.0f}"
            )


def stepper() -> Callable[[Any, Tensor], None]:
    net, loss = same.lenet(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def step(inputs: Any, labels: Tensor) -> None:
        optimizer.zero_grad()
        loss(net(inputs), labels).backward()
        optimizer.step()

    return step


def step_ms(batches: Batches, step: Callable[[Any, Tensor], None]) -> float:
    for _step in range(WARM_UP):
        step(*next(batches))
    begun = time.perf_counter()
    for _step in range(STEPS):
        step(*next(batches))
    return (time.perf_counter() - begun) / STEPS * 1000


def alone_us(batches: Batches) -> float:
    times = []
    for _batch in range(60):
        begun = time.perf_counter()
        next(batches)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e6


def in_a_thread(batches: Any) -> Batches:
    """The next batch is made while the model works; one thread of torch's, so that two remain for the model."""
    ready: queue.Queue[tuple[Any, Tensor]] = queue.Queue(1)
    enough = threading.Event()
    threads = torch.get_num_threads()

    def work() -> None:
        torch.set_num_threads(1)
        for batch in batches:
            while not enough.is_set():
                try:
                    ready.put(batch, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if enough.is_set():
                return

    worker = threading.Thread(target=work)
    worker.start()
    try:
        while True:
            yield ready.get()
    finally:
        enough.set()
        worker.join()
        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
