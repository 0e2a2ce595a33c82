"""Runs the tools that `benchmarks.doctor.baselines` compares with, on one program after another.

    PYTHONPATH=src .venv-peers/bin/python -m benchmarks.peers.doctor_tools < JOBS     # a JSON object a line in and out

How each is used, as its own documentation says, with the least that a learner would change:

- TorchFix: `flake8 --select=TOR0,TOR1,TOR2` on the file, which are the rules on by default.
- torch-preflight: `torch-preflight check` on the file, with no configuration.
- torch-audit: `autopatch(model, optimizer=...)`, its "zero-touch mode", over the whole program. Its example looks at
  every 1000th step and says that every step is possible; here at every 10th, as our programs are short.
- guardtower: `audit(model, step_fn, optimizer=..., inputs=...)` on the first batch, and `monitor(model)` all along.
- torchtest2: `check_model(model, inputs, targets, loss_fn=..., optimizer=...)` on the first batch.
- PyTorch: warnings that reach the learner while the program runs under Python's own filters.

Files of notebooks are read by the first two as scripts, in the order that cells stand in; the others run the cells in
the order that the twin says.

What a learner would hand over is found while the program runs, without a look at its text. The first batch is complete
when an optimizer steps, when a model is called again after `backward()`, or when the program ends, by an exception too.
The loss: the sum of what `backward()` was called on, else what `torch.autograd.grad` was. The model: a module with
parameters that is called from outside of any other, and that the loss, or the optimizer of what the loss reaches, is
about; the largest where several are. Its batch: what it was last called with. The optimizer: the one that holds
parameters of the model, none where several do (the tools take one), the last one made where none does, as a learner
with an optimizer of another model would do. How the loss comes from the model's output: every operation after the first
call of a model is kept (`torch.overrides` offers them), and done again from whatever output the tool has got, so that a
softmax, squeeze or detach in the loop is part of it. A cross-entropy of the output itself is handed over as
`nn.CrossEntropyLoss` and its labels, as torchtest2 asks. Where the operations cannot be done again, torchtest2 gets the
model and its inputs only, guardtower nothing.
guardtower and torchtest2 work in copies of the process made at that moment, so neither sees what the other did.
"""

import contextlib
import inspect
import io
import json
import os
import random
import runpy
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import guardtower
import numpy
import torch
import torch.nn.functional as F
import torch_audit
import torchtest2
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode
from torch_preflight.engine import check_source
from torchfix.torchfix import TorchChecker, process_error_code_str

LONGEST_S = 100
TOOL_S = 60
EVERY = 10  # steps, for torch-audit
MODELS = 4  # as many are audited in one program
OFTEN = 20_000  # operations that are kept at most

Message = tuple[str, str]  # how loud: error, warning or info; and the words
_call, _backward, _init = nn.Module.__call__, Tensor.backward, torch.optim.Optimizer.__init__
_grad = torch.autograd.grad


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Lists, tuples and dicts with `change` made to what is in them."""
    if isinstance(value, dict):
        return {key: mapped(one, change) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(mapped(one, change) for one in value)
    return change(value)


def leaves(value: Any) -> list[Tensor]:
    """All tensors in it."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [one for part in value for one in leaves(part)] if isinstance(value, list | tuple) else []


def numbers(model: nn.Module) -> tuple[int, int]:
    """How many numbers can be trained, and how many there are."""
    own = list(model.parameters())
    return sum(p.numel() for p in own if p.requires_grad), sum(p.numel() for p in own)


def parameters_of(loss: Tensor) -> set[int]:
    """The leaves that the graph of a loss ends in, by id."""
    seen, found = set(), set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        waiting += [one for one, _ in node.next_functions]
    return found


class Tape(TorchFunctionMode):
    """Operations from the first call of a model to the end of the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = True  # not by an exception
        self.deep = 0  # calls of models that have not returned
        # Function, arguments, named arguments, result, with gradients or not; the function may be a model.
        self.rows: list[list[Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.deep or len(self.rows) >= OFTEN:
            return func(*args, **(kwargs or {}))
        self.rows.append([func, args, kwargs or {}, None, torch.is_grad_enabled()])
        row = self.rows[-1]
        row[3] = func(*args, **(kwargs or {}))
        return row[3]

    def again(self, chosen: list[Any], output: Any, losses: list[Tensor]) -> Any:
        """The loss as the program has computed it, from another output of the chosen call."""
        now: dict[int, Any] = {}  # by id of what it was; the rows keep those alive
        result: Any = None

        def note(was: Any, new: Any) -> None:
            was_all, new_all = leaves(was), leaves(new)
            if len(was_all) == len(new_all):
                now.update((id(old), one) for old, one in zip(was_all, new_all, strict=True))

        for row in self.rows:
            func, args, kwargs, was, graph = row
            if row is chosen:
                note(was, output)
                continue
            touched = any(id(one) in now for one in leaves(args) + leaves(kwargs))
            if not touched and not isinstance(func, nn.Module):
                continue
            args, kwargs = (mapped(value, lambda v: now.get(id(v), v)) for value in (args, kwargs))
            with torch.set_grad_enabled(graph):
                new = func(*args, **kwargs)
            if was is None and touched and not isinstance(func, nn.Module):
                result = new  # only the last row, which failed in the program, may get here with a value
            note(was, new)
        found = [now.get(id(loss), loss) for loss in losses]
        return result if not found else found[0] if len(found) == 1 else sum(found)


class Runner:
    """One program, under what is needed for one group of tools."""

    def __init__(self, mode: str, folder: Path) -> None:
        self.mode = mode  # `plain`: PyTorch's warnings, guardtower and torchtest2; `audit`: torch-audit and the monitor
        self.folder = folder
        self.tape = Tape()
        self.taping = self.done = False
        self.losses: list[Tensor] = []  # what `backward()` was called on in the first batch
        self.sources: list[Tensor] = []  # what `torch.autograd.grad` was called on
        self.reached: set[int] = set()  # parameters in their graphs, by id
        self.optimizers: list[torch.optim.Optimizer] = []
        self.watched: list[nn.Module] = []
        self.auditors: list[Any] = []
        self.monitors: list[Any] = []
        self.children: list[int] = []
        self.deep = 0

    def install(self) -> None:
        """Hear of models, optimizers and `backward()`."""
        runner = self

        def init(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            _init(optimizer, *args, **kwargs)
            runner.optimizers.append(optimizer)

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if runner.deep or runner.done or next(iter(module.parameters()), None) is None:
                return _call(module, *args, **kwargs)
            return runner.called(module, args, kwargs)

        def backward(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            if runner.taping and not runner.done:
                runner.losses.append(loss)
                runner.reached |= parameters_of(loss)
                with torch._C.DisableTorchFunction():  # else it comes here again by way of the tape
                    return _backward(loss, *args, **kwargs)
            return _backward(loss, *args, **kwargs)

        def grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
            if runner.taping and not runner.done:
                runner.sources += [one for one in leaves(outputs) if one.dim() == 0 and one.requires_grad]
            return _grad(outputs, *args, **kwargs)

        torch.optim.Optimizer.__init__ = init
        nn.Module.__call__ = call
        if self.mode == "plain":
            Tensor.backward, torch.autograd.grad = backward, grad
            register_optimizer_step_pre_hook(lambda *_: self.first())

    def called(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        if self.mode == "audit":
            self.audit(module)
        elif self.losses and torch.is_grad_enabled():
            self.first()
            return _call(module, *args, **kwargs)
        elif torch.is_grad_enabled() or self.taping:
            if not self.taping:
                self.taping = True
                self.tape.__enter__()
            self.tape.rows.append([module, args, kwargs, None, torch.is_grad_enabled()])
        row = self.tape.rows[-1] if self.taping else [None] * 5
        self.deep = self.tape.deep = 1
        try:
            row[3] = _call(module, *args, **kwargs)
        finally:
            self.deep = self.tape.deep = 0
        return row[3]

    def optimizer_of(self, model: nn.Module, *, alone: bool = False) -> torch.optim.Optimizer | None:
        own = {id(p) for p in model.parameters()}
        shared = [(sum(id(p) in own for g in o.param_groups for p in g["params"]), o) for o in self.optimizers]
        if alone and sum(count > 0 for count, _ in shared) > 1:
            return None
        most = max((count for count, _ in shared), default=0)
        return next((o for count, o in reversed(shared) if count == most), None)

    def audit(self, model: nn.Module) -> None:
        if not torch.is_grad_enabled() or len(self.watched) >= MODELS or any(m is model for m in self.watched):
            return
        self.watched.append(model)
        self.deep = 1
        with contextlib.suppress(Exception):
            self.auditors.append(
                torch_audit.autopatch(
                    model, optimizer=self.optimizer_of(model), every_n_steps=EVERY, fail_level="ERROR"
                )
            )
        self.deep = 0
        monitor = guardtower.monitor(model, on_nonfinite="warn")
        monitor.__enter__()
        self.monitors.append(monitor)

    def first(self) -> None:
        """The first batch is complete: the tools that look at one batch do so in copies of this process."""
        if not self.taping or self.done:
            return
        self.done = True
        with contextlib.suppress(Exception):
            self.tape.__exit__(None, None, None)
        nn.Module.__call__, Tensor.backward, torch.autograd.grad = _call, _backward, _grad
        if not self.losses:
            scalars = [row[3] for row in self.tape.rows if isinstance(row[3], Tensor) and row[3].requires_grad]
            self.losses = self.sources[:1] or [one for one in scalars if one.dim() == 0][-1:]
            self.reached = set().union(*map(parameters_of, self.losses))
        calls = [row for row in self.tape.rows if isinstance(row[0], nn.Module) and row[4]]
        chosen = self.chosen(calls)
        model = chosen[0]
        for tool in (with_guardtower, with_torchtest2):
            child = os.fork()
            if child:
                self.children.append(child)
                continue
            try:
                signal.alarm(TOOL_S)
                warnings.simplefilter("ignore")
                for optimizer in self.optimizers:
                    optimizer.state.clear()  # LBFGS may be within its first step
                try:
                    found = tool(self.tape, chosen, self.losses, self.optimizer_of(model, alone=True))
                except Exception:  # noqa: BLE001 - a tool that fails is told too
                    found = [("failed", traceback.format_exc())]
                (self.folder / f"{tool.__name__[5:]}.json").write_text(json.dumps(found))
            finally:
                os._exit(0)
        self.tape = Tape()

    def chosen(self, calls: list[Any]) -> list[Any]:
        """The call to look at: of the largest model that this loss, or the optimizer of those it reaches, is about."""
        reached = set(self.reached)
        for optimizer in self.optimizers:
            held = {id(p) for group in optimizer.param_groups for p in group["params"]}
            reached |= held if held & self.reached else set()
        meant = [row for row in calls if any(id(p) in reached for p in row[0].parameters())] or calls
        model = max((row[0] for row in meant), key=numbers)
        return [row for row in calls if row[0] is model][-1]

    def finish(self) -> None:
        """Wait for the copies."""
        self.first()
        for child in self.children:
            os.waitpid(child, 0)


def batch_of(chosen: list[Any]) -> tuple[Any, ...]:
    """What the model was called with, free of graphs, in the order of its parameters."""
    model, args, kwargs = chosen[:3]
    if kwargs:
        bound = inspect.signature(model.forward).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise ValueError("the model has parameters that can only be named")
        args = bound.args
    return tuple(mapped(one, lambda v: v.detach().clone() if isinstance(v, Tensor) else v) for one in args)


def can_repeat(step: Callable[[], Any], tape: Tape) -> bool:
    """Whether the first batch can be gone through again; one in which the program itself failed is to fail again."""
    if tape.rows[-1][3] is None and not tape.ended:
        return True
    with torch.random.fork_rng():
        try:
            return isinstance(step(), Tensor)
        except Exception:  # noqa: BLE001 - whatever it is, the tools are not to blame
            return False


def with_guardtower(tape: Tape, chosen: list[Any], losses: list[Tensor], optimizer: Any) -> list[Message]:
    model, inputs = chosen[0], batch_of(chosen)

    def step() -> Any:
        return tape.again(chosen, model(*inputs), losses)

    if not can_repeat(step, tape):
        return []

    tensors = [one for one in leaves(inputs) if one.is_floating_point()]
    report = guardtower.audit(model, step, optimizer=optimizer, inputs=tensors or None)
    loud = {"FAIL": "error", "WARN": "warning", "INFO": "info"}
    return [(loud[one.severity.label], f"{one.check}: {one.message}") for one in report.findings]


def with_torchtest2(tape: Tape, chosen: list[Any], losses: list[Tensor], optimizer: Any) -> list[Message]:
    model, inputs, output = chosen[0], batch_of(chosen), chosen[3]
    words: dict[str, Any] = {"optimizer": optimizer}
    targets = None
    made = next((row for row in tape.rows if len(losses) == 1 and row[3] is losses[0]), None)
    if made is not None and made[0] is F.cross_entropy and len(made[1]) == 2 and made[1][0] is output:
        targets = made[1][1]
        words["loss_fn"] = nn.CrossEntropyLoss(**made[2])
    elif can_repeat(lambda: tape.again(chosen, model(*inputs), losses), tape):
        words["loss_fn"] = lambda now: tape.again(chosen, now, losses)
    tensors, results = leaves(inputs), leaves(output)
    if tensors and results and tensors[0].dim() == 1 and tensors[0].is_floating_point():
        if results[0].dim() and len(results[0]) != len(tensors[0]):  # one sample, without a dimension for the batch
            words["batch_dim"] = None
    elif tensors and results and tensors[0].dim() > 1 and results[0].dim():
        first, second, rows = tensors[0].shape[0], tensors[0].shape[1], results[0].shape[0]
        if first != rows and second == rows:  # its batches stand in the second dimension, which one has to say
            words |= {"batch_dim": 1, "output_batch_dim": 0}
    if len(inputs) == 1 and isinstance(inputs[0], Tensor):
        inputs = inputs[0]
    report = torchtest2.check_model(model, inputs, targets, **words)
    loud = {"FAIL": "error", "WARN": "warning"}
    return [(loud[one.status.name], f"{one.name}: {one.message}") for one in report.results if one.status.name in loud]


def run(job: dict[str, Any], mode: str, folder: Path) -> dict[str, Any]:
    """Run the program of a job here."""
    sys.argv = [job["file"]]
    sys.path[0] = str(Path(job["file"]).resolve().parent)
    for seed in (torch.manual_seed, random.seed, numpy.random.seed):
        seed(0)
    runner = Runner(mode, folder)
    runner.install()
    how = "finished"
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True) as heard:
        try:
            if job["cells"] is None:
                runpy.run_path(job["file"], run_name="__main__")
            else:
                space: dict[str, Any] = {"__name__": "__main__"}
                for at, cell in enumerate(job["cells"]):
                    exec(compile(cell, f"cell {at}", "exec"), space)
        except SystemExit:
            how = "exit"
        except Exception as problem:  # noqa: BLE001 - whatever ends the program is told
            how = f"{type(problem).__name__}: {problem}"[:200]
            runner.tape.ended = False
        said = [one for one in heard if not issubclass(one.category, RuntimeWarning)]  # those are NumPy's
    runner.finish()
    if mode == "plain":
        return {"how": how, "pytorch": [("warning", str(one.message)[:300]) for one in said]}
    audited = [one for auditor in runner.auditors for one in auditor.finish().findings]
    loud = {"ERROR": "error", "WARN": "warning", "INFO": "info"}
    hits = [name for monitor in runner.monitors for name in monitor.hits]
    return {
        "torch_audit": [(loud[one.severity.value], f"{one.rule_id}: {one.message}"[:300]) for one in audited],
        "monitor": [("warning", f"monitor: non-finite activation in module {name}") for name in dict.fromkeys(hits)],
    }


def forked(job: dict[str, Any], mode: str, folder: Path) -> dict[str, Any]:
    """Run it in a copy of this process, which has loaded all that is needed."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(ours)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            os.setsid()
            try:
                done = run(job, mode, folder)
            except Exception:  # noqa: BLE001 - of the runner itself
                done = {"how": "runner", "failed": traceback.format_exc()}
            with os.fdopen(theirs, "w") as out:
                json.dump(done, out)
        finally:
            os._exit(0)
    os.close(theirs)
    said, deadline = b"", time.monotonic() + LONGEST_S
    with os.fdopen(ours, "rb") as source:
        while select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(source.fileno(), 1 << 20)
            if not part:
                break
            said += part
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"how": "timeout" if time.monotonic() >= deadline else "lost"}
    return found


def statically(text: str) -> dict[str, list[Message]]:
    """What the two tools that only read say."""
    loud = {"error": "error", "warning": "warning", "note": "info"}
    diagnostics = check_source("program.py", text)[0]
    wanted = process_error_code_str(None)
    results = [str(result[2]) for result in TorchChecker(None, text.splitlines(keepends=True)).run()]
    return {
        "torch_preflight": [(loud[one.severity.value], f"{one.code}: {one.message}") for one in diagnostics],
        "torchfix": [("warning", words) for words in results if words.split()[0] in wanted],
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)  # the first optimizer loads much
    import firstlight as fl

    with contextlib.suppress(Exception):
        fl.load("fashion_mnist_small")  # so that copies need not load what loads it
    for line in sys.stdin:
        job = json.loads(line)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            found: dict[str, Any] = {"name": job["name"], **statically(job["text"])}
            plain, audited = forked(job, "plain", folder), forked(job, "audit", folder)
            for tool in ("guardtower", "torchtest2"):
                file = folder / f"{tool}.json"
                found[tool] = json.loads(file.read_text()) if file.exists() else None
        found["failed"] = [one["failed"] for one in (plain, audited) if "failed" in one]
        found |= {"how": plain["how"], "pytorch": plain.get("pytorch"), "torch_audit": audited.get("torch_audit")}
        if audited.get("monitor"):
            found["guardtower"] = [*(found["guardtower"] or []), *audited["monitor"]]
        found["seconds"] = time.monotonic() - began
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
