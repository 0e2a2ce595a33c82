"""Watching changes nothing: programs of many kinds, bit for bit the same with and without, looked at in each step."""

import contextlib
import multiprocessing
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

import firstlight as fl
from firstlight.doctor import witness as listening
from firstlight.run import TrainingStopped

Watch = Callable[..., Any]
Program = Callable[[Watch], Iterator[Any]]
PROGRAMS: dict[str, Program] = {}


def program(written: Program) -> Program:
    PROGRAMS[written.__name__] = written
    return written


def pictures(count: int = 16) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 1, 12, 12), torch.randint(3, (count,))


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)
    )


@program
def plain_loop(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    watch(model, optimizer)
    for _ in range(6):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def batch_norm_and_dropout_with_adamw_and_schedule(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Dropout(0.3), nn.Flatten(), nn.LazyLinear(3)
    )
    x, y = pictures()
    model(x)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    watch(model, optimizer)
    for _ in range(6):
        loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        yield loss, model


@program
def gan(watch: Watch) -> Iterator[Any]:
    made, judge = (
        nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)),
        nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1)),
    )
    one, two = torch.optim.Adam(made.parameters(), 0.01), torch.optim.Adam(judge.parameters(), 0.01)
    watch(made, judge, one, two)
    for _ in range(5):
        fake = made(torch.randn(8, 4))
        two.zero_grad()
        loss = F.softplus(judge(fake.detach())).mean() + F.softplus(-judge(torch.randn(8, 2))).mean()
        loss.backward()
        two.step()
        one.zero_grad()
        other = F.softplus(-judge(fake)).mean()
        other.backward()
        one.step()
        yield loss, other, made, judge


@program
def accumulation(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for step in range(12):
        loss = F.cross_entropy(model(x), y) / 4
        loss.backward()
        if step % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
        yield loss, model


@program
def several_backward_calls_of_one_graph(watch: Watch) -> Iterator[Any]:
    body, head, other = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 1)
    parameters = [*body.parameters(), *head.parameters(), *other.parameters()]
    optimizer = torch.optim.RMSprop(parameters, lr=0.01)
    watch(body, head, other, optimizer)
    for _ in range(5):
        optimizer.zero_grad()
        hidden = torch.relu_(body(torch.randn(10, 6)))
        one, two = F.cross_entropy(head(hidden), torch.randint(3, (10,))), other(hidden).pow(2).mean()
        one.backward(retain_graph=True)
        two.backward()
        optimizer.step()
        yield one, two, body, head, other


@program
def recurrent_with_carried_state(watch: Watch) -> Iterator[Any]:
    model, head = nn.LSTM(3, 8, num_layers=2, dropout=0.2), nn.Linear(8, 2)
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()])
    watch(model, head, optimizer)
    state = None
    for _ in range(5):
        out, state = model(torch.randn(7, 4, 3), state)
        state = tuple(part.detach() for part in state)
        loss = F.cross_entropy(head(out[-1]), torch.randint(2, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model, head, *state


@program
def packed_sequences(watch: Watch) -> Iterator[Any]:
    model = nn.GRU(3, 6, batch_first=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        given = [torch.randn(int(n), 3) for n in torch.randint(2, 9, (5,))]
        _out, last = model(nn.utils.rnn.pack_sequence(given, enforce_sorted=False))
        loss = last.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def lbfgs(watch: Watch) -> Iterator[Any]:
    model = nn.Linear(5, 2)
    x, y = torch.randn(20, 5), torch.randn(20, 2)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    watch(model, optimizer)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    for _ in range(5):
        yield optimizer.step(closure), model


@program
def transformer_evaluated_between_steps(watch: Watch) -> Iterator[Any]:
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
    model = nn.Sequential(nn.Embedding(20, 16), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    watch(model, optimizer)
    tokens = torch.randint(20, (4, 9))
    for _ in range(4):
        model.train()
        loss = model(tokens).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            seen = model(tokens)
        yield loss, seen, model


@program
def frozen_transformer_in_front(watch: Watch) -> Iterator[Any]:
    frozen = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval().requires_grad_(False)
    head = nn.Linear(16, 2)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    watch(frozen, head, optimizer)
    for _ in range(4):
        found = frozen(torch.randn(3, 5, 16))
        loss = F.cross_entropy(head(found[:, 0]), torch.randint(2, (3,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, found, head


@program
def mixed_precision(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    watch(model, optimizer)
    for _ in range(5):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        yield loss, model


@program
def loader_with_workers_and_a_transform(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures(32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True, num_workers=1)
    watch(model, optimizer)
    for images, labels in loader:
        noisy = images + 0.1 * torch.randn_like(images)
        loss = F.cross_entropy(model(noisy), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def one_module_called_many_times(watch: Watch) -> Iterator[Any]:
    cell = nn.GRUCell(3, 5)
    optimizer = torch.optim.Adagrad(cell.parameters(), lr=0.1)
    watch(cell, optimizer)
    for length in (3, 7, 2, 7):
        hidden = torch.zeros(4, 5)
        for _ in range(length):
            hidden = cell(torch.randn(4, 3), hidden)
        loss = hidden.sum().abs()
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        yield loss, cell


@program
def parameters_added_later(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    watch(model, optimizer)
    for step in range(6):
        if step == 3:
            model.append(nn.Linear(4, 4))
            optimizer.add_param_group({"params": model[-1].parameters(), "lr": 0.05})
        loss = model(torch.randn(5, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def errors_in_the_middle(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for step in range(6):
        optimizer.zero_grad()
        if step == 2:
            with contextlib.suppress(RuntimeError):
                model(torch.randn(4, 2, 12, 12))
        if step == 4:
            with contextlib.suppress(KeyboardInterrupt):
                model(x)
                raise KeyboardInterrupt
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def compiled_model(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(compiled, optimizer)
    for _ in range(4):
        optimizer.zero_grad()
        loss = F.cross_entropy(compiled(x), y)
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def compiled_function(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    loss_of = torch.compile(lambda a, b: F.cross_entropy(model(a), b), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        yield loss, model


class Tree(nn.Module):
    """A net whose graph follows the sample."""

    def __init__(self) -> None:
        super().__init__()
        self.join, self.leaf = nn.Linear(12, 6), nn.Embedding(4, 6)

    def forward(self, tree: Any) -> Tensor:
        if isinstance(tree, int):
            return self.leaf(torch.tensor(tree))
        return torch.tanh(self.join(torch.cat([self(part) for part in tree])))


@program
def trees(watch: Watch) -> Iterator[Any]:
    model = Tree()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    watch(model, optimizer)
    for tree in ((1, 2), ((1, 3), 0), ((0, 1), (2, (3, 3))), (2, 2)):
        loss = model(tree).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def checkpoints(watch: Watch) -> Iterator[Any]:
    one, two = nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)), nn.Linear(6, 6)
    optimizer = torch.optim.SGD([*one.parameters(), *two.parameters()], lr=0.1)
    watch(one, two, optimizer)
    for _ in range(4):
        x = torch.randn(5, 6, requires_grad=True)
        out = checkpoint(two, checkpoint(one, x, use_reentrant=False), use_reentrant=True)
        loss = out.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, one, two


class Clipped(torch.autograd.Function):
    """A function with a backward of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() < 2)


@program
def own_function_and_hooks(watch: Watch) -> Iterator[Any]:
    model = nn.Linear(4, 4)
    model.register_forward_hook(lambda *_: None)
    model.weight.register_hook(lambda gradient: gradient * 0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        loss = Clipped.apply(model(torch.randn(6, 4))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def sparse_gradients(watch: Watch) -> Iterator[Any]:
    model = nn.EmbeddingBag(30, 4, sparse=True)
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.05)
    watch(model, optimizer)
    for _ in range(4):
        loss = model(torch.randint(30, (5, 6))).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def gradient_penalty(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
    watch(model, optimizer)
    for _ in range(4):
        x = torch.randn(6, 3, requires_grad=True)
        out = model(x).sum()
        (slope,) = torch.autograd.grad(out, x, create_graph=True)
        loss = (slope.norm(dim=1) - 1).square().mean() + out.square()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def parametrized_weights_in_place_and_an_average(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.ReLU(inplace=True), nn.Linear(4, 2)
    )
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=True, momentum=0.9)
    watch(model, optimizer)
    for _ in range(4):
        loss = F.mse_loss(model(torch.randn(8, 4)).add_(1.0), torch.zeros(8, 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        yield loss, model, average


@program
def gradients_of_each_sample(watch: Watch) -> Iterator[Any]:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)

    def loss_of(parameters: Any, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, parameters, (x[None],)), y[None])

    each = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0, 0))
    for _ in range(4):
        x, y = torch.randn(7, 3), torch.randint(2, (7,))
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        found = each({name: weight.detach() for name, weight in model.named_parameters()}, x, y)
        for name, weight in model.named_parameters():
            weight.grad = weight.grad + found[name].std(0)
        optimizer.step()
        yield loss, model


@program
def stopped_by_its_button(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = watch(model, optimizer)
    for step in range(6):
        if step == 2 and run is not None:
            run.request_stop()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        try:
            optimizer.step()
        except TrainingStopped:
            run.rest()
        yield loss, model


@program
def traced_by_torch_jit_between_steps(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(3):
        traced = torch.jit.trace(model, torch.randn(2, 4))
        loss = model(torch.randn(5, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, traced(torch.ones(2, 4)), model


@program
def lazy_layers_that_are_made_in_the_loop(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)).to("cpu")  # weights that know torch's own `to`
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        loss = model(torch.randn(5, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def packed_by_hooks_that_count_on_one_call(watch: Watch) -> Iterator[Any]:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    held: list[Tensor | None] = []

    def pack(tensor: Tensor) -> int:
        held.append(tensor)
        return len(held) - 1

    def unpack(place: int) -> Tensor:
        tensor, held[place] = held[place], None
        assert tensor is not None
        return tensor

    for _ in range(3):
        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            hidden = Clipped.apply(model(torch.randn(6, 4)))
        loss = (hidden * 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def checkpointed_function_of_its_own(watch: Watch) -> Iterator[Any]:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    calls = torch.zeros(())

    def part(x: Tensor) -> Tensor:
        calls.add_(1)
        return Clipped.apply(F.dropout(model(x)))

    for _ in range(3):
        loss = checkpoint(part, torch.randn(5, 4), use_reentrant=False).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, calls, model


@program
def nested_tensors_of_two_lengths(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(3):
        batch = torch.nested.nested_tensor([torch.randn(2, 4), torch.randn(3, 4)], layout=torch.jagged)
        loss = model(batch).values().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def nested_tensors_made_within_from_a_list(watch: Watch) -> Iterator[Any]:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU()), nn.Linear(8, 2)

        def forward(self, given: tuple[Any, Tensor]) -> Tensor:
            rows = self.inner(torch.nested.nested_tensor(given[0], layout=torch.jagged))
            return self.head(torch.stack([one.mean(0) for one in rows.unbind()]))

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        loss = F.cross_entropy(model(([torch.randn(2, 4), torch.randn(5, 4)], torch.ones(2))), torch.tensor([0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


class Knows(Tensor):
    """Numbers of a class of its own, which knows no function at all."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Knows":
        made: Knows = Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype)
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(func)


class Unpacked(nn.Linear):
    """A layer that knows what is inside of what it is given."""

    def forward(self, given: Any) -> Tensor:
        return super().forward(given[0].held if isinstance(given, tuple) else given.to_dense())


@program
def inputs_that_know_no_function(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(Unpacked(6, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        loss = F.cross_entropy(model((Knows(torch.randn(5, 6)), 1)), torch.randint(2, (5,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def inputs_of_unusual_layouts_from_a_loader(watch: Watch) -> Iterator[Any]:
    model = nn.Sequential(Unpacked(6, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    samples = [(torch.randn(6).relu(), number % 2) for number in range(16)]
    for make in (Tensor.to_sparse, Tensor.to_sparse_csr, Tensor.to_mkldnn):

        def put_together(rows: list[Any], make: Any = make) -> tuple[Tensor, Tensor]:
            return make(torch.stack([row[0] for row in rows])), torch.tensor([row[1] for row in rows])

        for x, y in DataLoader(samples, batch_size=8, shuffle=True, collate_fn=put_together):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield loss, model


@program
def optimizers_that_step_within_backward(watch: Watch) -> Iterator[Any]:
    model = lenet()
    optimizers = {weight: torch.optim.SGD([weight], lr=0.1) for weight in model.parameters()}
    watch(model)

    def step(weight: Tensor) -> None:
        optimizers[weight].step()
        optimizers[weight].zero_grad()

    for weight in model.parameters():
        weight.register_post_accumulate_grad_hook(step)
    x, y = pictures()
    for _ in range(4):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        yield loss, model
    model(x)


class Chain(nn.Module):
    """A model that calls itself as often as Python's limit allows, nearly."""

    def __init__(self) -> None:
        super().__init__()
        self.link = nn.Linear(3, 3)

    def forward(self, length: int) -> Tensor:
        return torch.tanh(self.link(self(length - 1))) if length else torch.ones(3)


@program
def recursion_to_a_depth_of_180(watch: Watch) -> Iterator[Any]:
    model = Chain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(2):
        loss = model(180).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, torch.tensor(sys.getrecursionlimit()), model


class Stacks(torch.utils.data.Dataset[Tensor]):
    """Says in each sample what stands on the stacks of modes where it is made."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, place: int) -> Tensor:
        modes = torch.overrides._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()
        return torch.tensor([place, *modes, nn.Module.__call__.__name__ != "_wrapped_call_impl"], dtype=torch.float32)


@program
def workers_forked_at_a_look_are_left_alone(watch: Watch) -> Iterator[Any]:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    context = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    loader = DataLoader(Stacks(), batch_size=4, num_workers=1, multiprocessing_context=context)
    watch(model, optimizer)
    for batch in loader:
        loss = model(batch).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, batch, model


class Node(nn.Module):
    """Takes a node of a tree whose nodes know their parents."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, node: dict[str, Any]) -> Tensor:
        return self.layer(node["x"]) + sum(self(child) for child in node["children"])


@program
def nodes_that_know_their_parents(watch: Watch) -> Iterator[Any]:
    model = Node()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(3):
        root: dict[str, Any] = {"x": torch.randn(2, 4), "children": []}
        root["children"].append({"x": torch.randn(2, 4), "parent": root, "children": []})
        loss = model(root).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def default_device_set_and_taken_back(watch: Watch) -> Iterator[Any]:
    torch.set_default_device("cpu")
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for step in range(4):
        if step in (1, 3):
            torch.set_default_device(None)
        if step == 2:
            torch.set_default_device("cpu")
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss, model


class Heard(TorchDispatchMode):
    """A dispatcher of the learner's own."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        return func(*args, **(kwargs or {}))


@program
def counted_by_a_dispatcher_of_the_learners_own(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch(model, optimizer)
    for _ in range(4):
        with Heard() as heard:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield loss, torch.tensor(heard.operations), model


@program
def finished_within_backward(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = watch(model, optimizer)
    for step in range(4):
        if step == 2 and run is not None:
            model[0].weight.register_hook(lambda _gradient: run.finish())
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def finished_by_another_thread_in_an_evaluation(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = watch(model, optimizer)

    def finish(*_: Any) -> None:
        if run is not None and not torch.is_grad_enabled():
            thread = threading.Thread(target=run.finish)
            thread.start()
            thread.join()

    for step in range(4):
        if step == 2:
            model[1].register_forward_hook(finish)
        with torch.no_grad():
            model(x)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        yield loss, model


@program
def finished_by_another_thread(watch: Watch) -> Iterator[Any]:
    model, (x, y) = lenet(), pictures()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = watch(model, optimizer)
    for step in range(4):
        if step == 2 and run is not None:
            thread = threading.Thread(target=run.finish)
            thread.start()
            thread.join()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        yield loss, model


def bits(found: Any) -> list[bytes]:
    parts = []
    for one in found if isinstance(found, tuple) else (found,):
        tensors = (
            [one]
            if isinstance(one, Tensor)
            else [part for weight in one.parameters() for part in (weight, weight.grad) if part is not None]
            + list(one.buffers())
        )
        parts += [
            tensor.detach().to_dense().contiguous().view(torch.uint8 if tensor.ndim else tensor.dtype).numpy().tobytes()
            if tensor.dtype != torch.bfloat16
            else tensor.detach().float().numpy().tobytes()
            for tensor in tensors
        ]
    return parts


def played(written: Program, watch: Watch) -> tuple[list[list[bytes]], list[Any]]:
    torch._dynamo.reset()
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    found = [bits(step) for step in written(watch)]
    return found, [torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(), random.getstate()]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_it_computes_the_same_bit_for_bit(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("FIRSTLIGHT_VIEW", "off")
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path))
    runs = []

    def watched(*given: Any) -> Any:
        runs.append(fl.watch(*given, looks=range(100)))
        return runs[-1]

    alone = played(PROGRAMS[name], lambda *_: None)
    seen = played(PROGRAMS[name], watched)
    (run,) = runs
    run.finish()
    assert seen[0] == alone[0], "losses, weights, gradients, buffers"
    assert seen[1] == alone[1], "random numbers"
    looks = [fact.step for fact in run.facts("graph")]
    if name == "compiled_function":
        assert run.info["sees_less"] == ["compile"]
        assert not looks
    else:
        assert looks, "and it was looked at"
        assert len(run.graph()) > 0
    assert not torch.overrides._len_torch_function_stack()
    assert not torch._C._len_torch_dispatch_stack()
    assert "__call__" in vars(nn.Module)
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_it_computes_the_same_while_the_doctor_listens(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("FIRSTLIGHT_VIEW", "off")
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path))
    runs: list[Any] = []

    def watched(*given: Any) -> Any:
        runs.append(fl.watch(*given))
        return runs[-1]

    alone = played(PROGRAMS[name], lambda *_: None)
    witness = listening.attend()
    try:
        seen = played(PROGRAMS[name], watched)
        for run in runs:
            run.finish()
        report = fl.examine(proof=False)
        assert not witness.lost, witness.lost
    finally:
        listening.leave()
    assert seen[0] == alone[0], "losses, weights, gradients, buffers"
    assert seen[1] == alone[1], "random numbers"
    assert not report.alarms, report.as_text()
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"
