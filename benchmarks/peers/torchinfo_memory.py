"""torchinfo's "Estimated Total Size" against what a training step holds: run by `benchmarks.forecast --torchinfo`.

torchinfo knows no optimizer; so it is held against plain SGD, which keeps nothing: its inputs, parameters and forward
and backward pass, against the model, the batch and what the profiler sees three steps add to them.
"""

import statistics
import time

import torch
from torchinfo import summary

from benchmarks.forecast import OPTIMIZERS, WORKS, measured
from benchmarks.harness import report


def main() -> None:
    begun = time.perf_counter()
    errors = []
    for work in WORKS:
        torch.manual_seed(0)
        model, batch = work()
        given, wanted = batch if isinstance(batch, tuple) else (batch, None)
        try:
            told = summary(model, input_data=[given], verbose=0, mode="train")
        except Exception as error:  # noqa: BLE001 (whatever it says to a model)
            print(f"{work.__name__:21} torchinfo fails: {str(error).splitlines()[0][:80]}", flush=True)
            continue
        tensors = [*model.parameters(), *model.buffers(), *(given.values() if isinstance(given, dict) else [given])]
        there = sum(tensor.nbytes for tensor in [*tensors, *([] if wanted is None else [wanted])])
        total = measured(model, batch, OPTIMIZERS["SGD"]) + there
        said = told.total_input + told.total_output_bytes + told.total_param_bytes
        errors.append(abs(said - total) / total)
        print(
            f"{work.__name__:21} torchinfo {said / 2**20:8.2f} MiB, held {total / 2**20:8.2f} MiB, "
            f"error {100 * (said - total) / total:+7.2f} %",
            flush=True,
        )
    print(
        f"torchinfo, {len(errors)} models of {len(WORKS)}: error {100 * statistics.median(errors):.1f} % median, "
        f"{100 * max(errors):.1f} % worst"
    )
    report(time.perf_counter() - begun, models=len(errors), median=statistics.median(errors), worst=max(errors))


if __name__ == "__main__":
    main()
