"""What other tools find in the same programs, beside what the doctor finds.

    python -m benchmarks.doctor --json OURS
    python -m benchmarks.doctor.baselines [--set dev,held,clean] [--only WORDS] [--jobs 1] [--said FILE] [--ours OURS]

The tools are torch-audit, torchtest2, guardtower, torch-preflight, TorchFix and PyTorch's own warnings. They run in
`.venv-peers`; how each is used, and how it gets the model and the batch of a program, is told at the top of
`benchmarks/peers/doctor_tools.py`. `--said` keeps what they said, a program a line, and only what is not in it is run.

`MEANINGS` below says which faults of the catalogue a kind of message is about, as the tool's own text explains it. A
tool has the right cause where one of its messages is about a code that the twin accepts: errors and warnings, and
what is said as information too where the twin asks for no alarm. An alarm is a kind of message that is an error or a
warning; tools that know both are counted a second time by their errors alone. Messages of one kind count once in a
program. Only sums are printed, so that programs of `held` stay unread.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from benchmarks.doctor.programs import Program, notebook, programs
from benchmarks.environment import prepare

ROOT = Path(__file__).parents[2]
TOOLS = {
    "torch_audit": "torch-audit 0.3.0",
    "torchtest2": "torchtest2 0.1.0",
    "guardtower": "guardtower 0.1.0",
    "torch_preflight": "torch-preflight 0.5.0",
    "torchfix": "TorchFix 0.7.0",
    "pytorch": "PyTorch's warnings",
}
LEVELS = ("torch_audit", "torchtest2", "guardtower", "torch_preflight")  # those that tell errors from warnings

# Tool, words in its message (at its start where they end in a colon), codes that those are about. The first that fits
# counts.
MEANINGS = [
    ("torch_audit", "TA100: Parameter", "L19 L14 L18 D10 M05"),  # not a number or infinite
    ("torch_audit", "TA100", "L19 L18 D10 M05"),
    ("torch_audit", "TA102", "L18 L14 M17 D04"),  # large gradient
    ("torch_audit", "TA103", "M16 M18 M13"),  # gradient exactly zero
    ("torch_audit", "TA104", "L04 L02 L06 L07 M13 D03"),  # no gradients: "Did you forget loss.backward()?"
    ("torch_audit", "TA105", "M18"),  # activations nearly all zero
    ("torch_audit", "TA200", ""),  # sizes that tensor cores like
    ("torch_audit", "TA201", ""),  # memory layout
    ("torch_audit", "TA202", "P03 R07"),  # where the model is
    ("torch_audit", "TA203", ""),  # mixed precision
    ("torch_audit", "TA300", "P03"),  # input elsewhere than the model
    ("torch_audit", "TA301", "D04"),  # range of the inputs
    ("torch_audit", "TA302", "D11 D05"),  # inputs without variance
    ("torch_audit", "TA303", "D08"),  # NHWC or NCHW
    ("torch_audit", "TA304", "M19"),  # batch too small for BatchNorm
    ("torch_audit", "TA305", "D02 D25"),  # negative indices
    ("torch_audit", "TA400", ""),  # bias before a normalisation
    ("torch_audit", "TA401", "L17"),  # Adam with weight decay
    ("torch_audit", "TA402", "L17"),  # weight decay of biases
    ("torch_audit", "TA403", "L17"),  # weight decay of embeddings
    ("torch_audit", "TA404", ""),  # even kernel
    ("torch_audit", "TA405", "M16"),  # filters of zeros
    ("torch_audit", "TA500", "M12"),  # layer that is never called
    ("torch_audit", "TA501", "M28"),  # layer that is called twice
    ("torch_audit", "TA000", ""),  # a check of its own that failed
    ("torchtest2", "forward:", "X01 M23 D08 D25"),  # the model raises
    ("torchtest2", "output_finite:", "L19 D10"),
    ("torchtest2", "output_varies:", "D11 M18 M16 M06 D05"),  # same output for all: inputs wiped out, collapsed
    ("torchtest2", "eval_determinism:", "M21 E13"),
    ("torchtest2", "loss: the loss must be a scalar", "L34 M32"),
    ("torchtest2", "loss: the loss is not connected", "M13 L07 D03"),
    ("torchtest2", "re-created", "L07"),
    ("torchtest2", "loss: computing the loss raised", "X01 M33 D02 D03 L29"),
    ("torchtest2", "loss:", "L07 M13 D03 L19 D10 M05 M33"),  # not finite, not connected
    ("torchtest2", "do the targets leak", "D16 M08"),  # loss at the start too low
    ("torchtest2", "initial_loss:", "M17 D04"),  # loss at the start too high
    ("torchtest2", "optimizer_coverage:", "L05 L06 P04 M10 L25"),
    ("torchtest2", "gradient_flow: raised", ""),
    ("torchtest2", "all-zero gradient", "M18 M16 M13"),  # dead ReLUs, multiplied by zero
    ("torchtest2", "gradient_flow:", "M12 M13 M10 L07 D03 L35"),  # unused, or the graph is cut
    ("torchtest2", "gradient_magnitude: NaN", "L19"),
    ("torchtest2", "gradient_magnitude:", "L18 M17 D04 L14"),
    ("torchtest2", "params_change: raised", ""),
    ("torchtest2", "params_change:", "L05 L06 P04 M13 M12 L15 M15"),  # "any of the above, lr=0"
    ("torchtest2", "frozen_params:", "M15"),
    ("torchtest2", "input_dependency:", "M34 D11 M13 L30"),  # wrong slice, a variable used by mistake
    ("torchtest2", "batch_independence:", "M22 M23 M06 M19"),
    ("torchtest2", "overfit_batch: gradients became NaN", "L19 L18 L14"),
    ("torchtest2", "overfit_batch: the loss became", "L19 L18 L14"),
    ("torchtest2", "overfit_batch: raised", ""),
    ("torchtest2", "overfit_batch:", "L14 L15 L16 M31 M27 M08 D03"),  # learning rate, targets that do not match, size
    ("guardtower", "loss: step_fn raised", "X01 M33 D02 D03"),
    ("guardtower", "loss: loss does not require grad", "L07 M13 D03"),
    ("guardtower", "loss: loss is not a scalar", "L34 M32"),
    ("guardtower", "non-finite) on the very first step", "L19 D10 M05 M33"),
    ("guardtower", "loss: step_fn returned", ""),
    ("guardtower", "backward: backward() raised", "M14 M24"),
    ("guardtower", "received NO gradient", "M12 M13 M10 L07 D03"),
    ("guardtower", "all-zero gradient", "M16 M18 M13"),  # masked, detached, dead
    ("guardtower", "all trainable parameters receive gradient", ""),
    ("guardtower", "are NOT in the optimizer", "L05 L06 P04 M10 L25"),
    ("guardtower", "frozen parameter(s) are registered", "M15"),
    ("guardtower", "optimizer covers exactly", ""),
    ("guardtower", "parameter tensors are frozen", "M15"),
    ("guardtower", "weight_tying:", "M28"),
    ("guardtower", "large gradient norm", "L18 M17 D04 L14"),
    ("guardtower", "gradient norm is tiny", "M25 M16 M18 L35"),
    ("guardtower", "global gradient norm", ""),
    ("guardtower", "does not depend on input", "M34 M13 D11 L30"),
    ("guardtower", "loss depends on all", ""),
    ("guardtower", "NaN/Inf", "L19 D10"),
    ("guardtower", "monitor: non-finite", "L19 D10 L18 L14"),
    ("guardtower", "dead_relu:", "M18"),
    ("guardtower", "train_mode:", "L10 L11"),
    ("guardtower", "device_dtype: parameters span", "P03"),
    ("guardtower", "device_dtype:", "M35 R12"),
    ("guardtower", "lora", ""),
    ("guardtower", "dist", ""),
    ("torch_preflight", "TG001", "L08"),  # tensors with graphs kept
    ("torch_preflight", "TG002", "E03"),  # evaluation without no_grad
    ("torch_preflight", "TG003", "L01"),  # no zero_grad
    ("torch_preflight", "TG004", "R01 R05"),  # settings of the loader
    ("torch_preflight", "TG005", "M01 M02 M03"),  # activation before cross-entropy
    ("torch_preflight", "TG006", "M04 M05"),  # BCE and the wrong activation
    ("torch_preflight", "TG007", "R02"),  # synchronisation in the loop
    ("torch_preflight", "TG008", "P01"),  # no seed
    ("torch_preflight", "TG010", "R06"),  # too large for the GPU
    ("torch_preflight", "TG011", "L11 L10"),  # eval() without train()
    ("torch_preflight", "TG012", ""),  # no DistributedSampler
    ("torch_preflight", "TG013", "R13"),  # moved in each step
    ("torch_preflight", "TG014", "L21"),  # accumulated and not divided
    ("torchfix", "TOR002", "M15"),  # require_grad
    ("torchfix", "TOR102", "P08"),  # torch.load of whole objects
    ("torchfix", "TOR", ""),  # deprecated functions
    ("pytorch", "Using a target size", "M27 D24"),
    ("pytorch", "before `optimizer.step()`", "L12 L03"),
    ("pytorch", "Implicit dimension choice", "M06"),
    ("pytorch", "worker processes in total", "R04"),
    ("pytorch", "Anomaly Detection has been enabled", "R10"),
    ("pytorch", "To copy construct from a tensor", "L07 M13"),
    ("pytorch", "Converting a tensor with requires_grad=True to a scalar", "L08"),
    ("pytorch", "None of the inputs have requires_grad", "M13"),
    ("pytorch", "Casting complex values to real", ""),
    ("pytorch", ".grad attribute of a Tensor that is not a leaf", "M13"),
    ("pytorch", "dropout option adds dropout", "M20"),
    ("pytorch", "Initializing zero-element", ""),
    ("pytorch", "lr_scheduler", "L13"),
    ("pytorch", "is not writable", ""),
]


def meaning(tool: str, words: str) -> tuple[str, set[str]] | None:
    """The kind of a message, which is the words it is known by, and the codes it is about; None for one not listed."""
    for of, part, codes in MEANINGS:
        if of == tool and (words.startswith(part) if part.endswith(":") else part in words):
            return part, set(codes.split())
    return None


def judge(tool: str, said: Iterable[tuple[str, str]] | None, facts: dict[str, Any], *, errors: bool) -> dict[str, Any]:
    """How a tool did on one program.

    Args:
        tool: Which.
        said: Its messages: how loud and the words; None where it could not run.
        facts: Of the twin; empty for a program without a fault.
        errors: Whether only errors count.
    """
    accepted = {*facts.get("codes", []), *facts.get("second", []), *facts.get("also", [])}
    alarms: dict[str, bool] = {}
    right, unlisted = False, []
    for loud, words in said or []:
        if loud == "failed":
            continue
        known = meaning(tool, words)
        if known is None:
            unlisted.append(words)
        kind, codes = known or (words.split(":")[0], set())
        alarm = loud == "error" or (loud == "warning" and not errors)
        if alarm:
            alarms[kind] = alarms.get(kind, False) or bool(codes & accepted)
        if alarm or (not errors and facts.get("voice") != "alarm"):
            right = right or bool(codes & set(facts.get("codes", [])))
    return {"right": right, "accepted": list(alarms.values()), "alarms": list(alarms), "unlisted": unlisted}


def chosen(options: argparse.Namespace) -> Iterator[tuple[str, Program]]:
    """The programs that were asked for."""
    for part in options.set.split(","):
        for program in programs(part):
            if all(word in program.name for word in options.only.split()):
                yield part, program


def ask(wanted: list[tuple[str, Program]], jobs: int, said: Path | None) -> dict[str, dict[str, Any]]:
    """What the tools say to each program, by its name."""
    known = [json.loads(line) for line in said.read_text().splitlines()] if said and said.exists() else []
    found = {one["name"]: one for one in known}
    todo = [program for _, program in wanted if program.name not in found]
    if not todo:
        return found
    python, lock = prepare(), Lock()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "FIRSTLIGHT_VIEW": "off"}

    def work(part: list[Program]) -> None:
        command = [python, "-m", "benchmarks.peers.doctor_tools"]
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdin
            assert worker.stdout
            for program in part:
                text, cells = program.file.read_text(), None
                if program.facts.get("style") == "notebook":
                    cells = [cell["source"] for cell in notebook(text, program.facts.get("order"))["cells"]]
                job = {"name": program.name, "file": str(program.file), "cells": cells, "text": text}
                worker.stdin.write(json.dumps(job) + "\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                with lock:
                    found[program.name] = json.loads(line)
                    if said:
                        with said.open("a") as file:
                            file.write(line)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, [todo[at::jobs] for at in range(jobs)]))
    return found


def share(values: list[bool]) -> str:
    return f"{sum(values)}/{len(values)} {sum(values) / len(values):4.0%}" if values else "none"


def row(ones: list[dict[str, Any]]) -> list[str]:
    """The measures of one tool in one set."""
    broken = [one for one in ones if one["kind"] == "broken"]
    right = [one for one in ones if one["kind"] != "broken"]
    judged = [ok for one in broken for ok in one["accepted"]] + [False for one in right for _ in one["alarms"]]
    return [
        share([one["right"] for one in broken]),
        share([bool(one["alarms"]) for one in broken]),
        share([one["right"] for one in broken if one["symptom_free"]]),
        f"{sum(bool(one['alarms']) for one in right)} of {len(right)}",
        share(judged),
    ]


def tell(part: str, wanted: list[Program], found: dict[str, Any], ours: dict[str, Any]) -> None:
    """Print the table of one set, and what the tools said that `MEANINGS` does not list."""
    heads = ["", "right cause", "any alarm, broken", "symptom-free", "right programs, alarm", "precision"]
    table = [heads]
    same = [ours[program.name] for program in wanted if program.name in ours]
    if same:
        table.append(["firstlight", *row(same)])
    unlisted: Counter[str] = Counter()
    for tool, label in TOOLS.items():
        for errors in (False, True) if tool in LEVELS else (False,):
            ones = []
            for program in wanted:
                facts = program.facts if program.kind == "broken" else {}
                free = program.facts.get("symptom_free", False)
                one = judge(tool, found[program.name].get(tool), facts, errors=errors)
                unlisted.update(f"{tool} {words[:80]}" for words in one["unlisted"] if not errors and part != "held")
                ones.append({"kind": program.kind, "symptom_free": free, **one})
            table.append([f"{label}, errors only" if errors else label, *row(ones)])
    widths = [max(len(line[at]) for line in table) for at in range(len(heads))]
    print(
        f"\n{part}: {len(wanted)} programs" + ("" if len(same) == len(wanted) else f", {len(same)} of them in --ours")
    )
    for line in table:
        print("  " + "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())
    silent = {tool: sum(found[program.name].get(tool) is None for program in wanted) for tool in TOOLS}
    failed = {
        tool: sum(any(loud == "failed" for loud, _ in found[p.name].get(tool) or []) for p in wanted) for tool in TOOLS
    }
    print(f"  nothing to give to the tool: { ({t: n for t, n in silent.items() if n}) }")
    print(f"  the tool itself failed: { ({t: n for t, n in failed.items() if n}) }")
    for words, times in unlisted.most_common(20):
        print(f"  not listed, {times} times: {words}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="dev,held,clean")
    parser.add_argument("--only", default="", help="words in the names of programs")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--said", type=Path, help="a file for what the tools said")
    parser.add_argument("--ours", type=Path, help="what `python -m benchmarks.doctor --json` wrote")
    options = parser.parse_args()
    ours = {one["name"]: one for one in json.loads(options.ours.read_text())} if options.ours else {}
    wanted = list(chosen(options))
    found = ask(wanted, options.jobs, options.said)
    for part in dict.fromkeys(part for part, _ in wanted):
        tell(part, [program for of, program in wanted if of == part], found, ours)
    if len({part for part, _ in wanted}) > 1:
        tell("all", [program for _, program in wanted], found, ours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
