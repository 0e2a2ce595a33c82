"""What a look at a step sees: graph, activations, memory; and that it leaves no trace, whatever happens."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import firstlight as fl
from firstlight.graph import looks as looks_module
from firstlight.graph.looks import StepTracer
from firstlight.graph.recorded import MeasuredMemory, NoLook
from firstlight.graph.tracer import sweep
from firstlight.run import Run


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_VIEW", "off")


@pytest.fixture(autouse=True)
def no_trace() -> Any:
    call = vars(nn.Module)["__call__"]
    yield
    sweep()
    assert vars(nn.Module)["__call__"] is call
    assert not torch.overrides._len_torch_function_stack()
    assert not torch._C._len_torch_dispatch_stack()


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.0), nn.Linear(400, 3))


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, between: Callable[[], Any] = int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(8, 1, 12, 12)), torch.randint(3, (8,))).backward()
        optimizer.step()
        between()


def test_the_graph_of_a_step_is_that_of_a_trace() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(8, 1, 12, 12), torch.randint(3, (8,))
    with fl.watch(model, optimizer) as run:
        for _ in range(2):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    graph = run.graph()
    traced = fl.trace(model, x, loss=lambda out: F.cross_entropy(out, y))
    assert [(one.name, [out.shape for out in one.outputs]) for one in graph] == [
        (one.name, [out.shape for out in one.outputs]) for one in traced
    ]
    assert graph.saved_bytes == traced.saved_bytes > 0
    assert [node.name for node in graph.nodes] == [node.name for node in traced.nodes]
    assert graph.step == 1
    assert graph[0].source is not None
    assert "cross_entropy(model" in graph[0].source.text


def test_an_evaluation_between_two_steps_is_no_part_of_the_graph() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def evaluate() -> None:
        model.eval()
        with torch.no_grad():
            for _ in range(3):
                (model(torch.randn(4, 1, 12, 12)).argmax(1) == 1).float().mean()
        model.train()

    def hear(module: nn.Module, *_: Any) -> None:
        if not module.training:
            modes.add((torch.overrides._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()))

    modes: set[tuple[int, int]] = set()
    model[0].register_forward_hook(hear)

    with fl.watch(model, optimizer, looks=range(4)) as run:
        train(model, optimizer, 3, evaluate)
    assert modes == {(0, 0)}, "it runs as if nobody watched"
    names = [one.name for one in run.graph(0)]
    assert [one.name for one in run.graph(2)] == names
    assert names.count("conv2d") == 1
    assert run.facts("modes")[0].data == {"evaluation": []}


def test_what_makes_the_data_ready_is_no_part_of_the_graph() -> None:
    images = torch.randint(255, (24, 1, 12, 12), dtype=torch.uint8)
    data, _test = fl.load((images, torch.arange(24) % 3))
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer, looks=range(4)) as run:
        for x, y in data.batches(8):
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert len({call.model for call in run.graph(1).calls}) == 1
    assert run.graph(1)[0].name == "conv2d"


def test_modes_and_shapes_are_told_where_they_change() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer, looks=range(5)) as run:
        train(model, optimizer, 2)
        model[3].eval()
        train(model, optimizer, 2)
    assert [(fact.step, fact.data) for fact in run.facts("modes")] == [
        (0, {"evaluation": []}),
        (2, {"evaluation": ["3"]}),
    ]
    assert [(fact.step, fact.data) for fact in run.facts("shapes")] == [(0, {"inputs": [[8, 1, 12, 12]]})]


def test_graphs_that_differ_are_kept_each_and_others_once() -> None:
    model, ones = nn.Linear(4, 4), torch.ones(2, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer, looks=range(9)) as run:
        for depth in (1, 1, 3, 3, 2):
            x = ones
            for _ in range(depth):
                x = model(x)
            x.sum().backward()
            optimizer.step()
    looks = [fact.data for fact in run.facts("graph")]
    assert [look["rows_at"] for look in looks] == [0, 0, 2, 2, 4]
    assert [look["changes"] for look in looks] == [None, 0, 2, 0, 1]
    assert [look["operations"] for look in looks] == [2, 2, 4, 4, 3]
    assert len(run.graph(1).diff(run.graph(3)).changes) > 0
    assert not run.operations(1)
    assert [call.number for call in run.graph(3).calls] == [1, 2, 3]


def test_the_newest_look_at_or_before_a_step_answers() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer, looks=range(4)) as run:
        train(model, optimizer, 12)
    looks = [fact.step for fact in run.facts("graph")]
    assert looks[:4] == [0, 1, 2, 3]
    assert run.graph(1000).step == run.graph().step == looks[-1] < 12
    assert run.memory(2).step == 2
    with pytest.raises(NoLook, match="0, 1, 2, 3"):
        run.graph(-1)
    with pytest.raises(NoLook, match="at any step"):
        Run("empty").memory()


def test_a_saved_run_says_the_same(tmp_path: Path) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        train(model, optimizer, 3)
    assert run.folder is not None
    saved = Run.open(run.folder)
    assert saved.graph() == run.graph()
    assert saved.memory() == run.memory()
    assert saved.facts("weights") == run.facts("weights")


def test_measured_memory_is_what_was_foretold() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12544, 10)
    )
    optimizer = torch.optim.AdamW(model.parameters())
    x, y = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
    with fl.watch(model, optimizer) as run:
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    found, foretold = run.memory(), fl.memory(model, (x, y), optimizer)
    assert found.parameters == foretold.parameters + foretold.buffers
    assert found.gradients == foretold.gradients
    assert found.state == foretold.optimizer
    assert found.peak == pytest.approx(foretold.peak, rel=0.02)
    assert (found.phase, found.where) == (foretold.phase, foretold.where)
    assert sum(found.saved.values()) >= foretold.activations
    assert found.peak == max(found.phases.values()) == max(held for _phase, held in found.curve)
    assert [phase for at, (phase, _held) in enumerate(found.curve) if not at or found.curve[at - 1][0] != phase] == [
        "forward", "backward", "optimizer",
    ]  # fmt: skip
    assert isinstance(found, MeasuredMemory)
    assert "measured" in repr(found)
    assert "<svg" in found.picture().html


def test_a_long_step_has_a_short_curve() -> None:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        x = torch.randn(2, 4)
        for _ in range(300):
            x = torch.tanh(model(x))
        x.sum().backward()
        optimizer.step()
    curve = run.memory().curve
    assert 20 < len(curve) <= 100
    assert {phase for phase, _held in curve} == {"forward", "backward", "optimizer"}
    assert max(held for _phase, held in curve) == run.memory().peak


def test_activations_say_mean_spread_and_zeros() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([[0.0, 0.0, 1.0, 3.0]]) * x.exp().clamp(1, 1)

    model = nn.Sequential(nn.Linear(1, 1), Fixed())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        model(torch.ones(2, 1)).sum().backward()
        optimizer.step()
    found = run.facts("activations")[0].data
    assert found["names"] == ["0", "1"]
    assert found["kinds"] == ["Linear", "Fixed"]
    assert (found["mean"][1], found["zero"][1]) == (1.0, 0.5)
    assert found["std"][1] == pytest.approx(1.225, abs=1e-3)


def test_a_loop_in_another_thread_is_seen_and_ours_is_left_clean() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, looks=range(9))
    thread = threading.Thread(target=train, args=(model, optimizer, 3))
    thread.start()
    thread.join()
    run.finish()
    assert [fact.step for fact in run.facts("graph")] == [1, 2], "the first was begun in another thread"
    assert torch.relu(torch.ones(1)) == 1.0


def test_tensors_without_numbers_have_a_graph_and_no_numbers() -> None:
    with torch.device("meta"):
        model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        model(torch.ones(4, 3, device="meta")).sum().backward()
        optimizer.step()
    assert [operation.name for operation in run.graph()] == ["ones", "linear", "sum"]
    assert run.facts("weights")[0].data["weight"] == [None, None]
    assert run.metrics().count("train/loss") == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_in_a_step_leaves_nothing(error: type[BaseException]) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def fail() -> None:
        model(torch.randn(8, 1, 12, 12)).sum().backward()
        raise error

    with pytest.raises(error), fl.watch(model, optimizer):
        train(model, optimizer, 1, fail)


def test_a_step_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "_MOST_OPERATIONS", 3)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        train(model, optimizer, 2)
    assert not run.facts("graph")
    assert len(run.metric("train/loss")) == 2


def no_modes() -> bool:
    return not torch.overrides._len_torch_function_stack() and not torch._C._len_torch_dispatch_stack()


def test_weights_changed_without_an_optimizer_are_not_waited_for() -> None:
    model = nn.Linear(3, 1)
    with fl.watch(model) as run:
        for _ in range(200):
            model.zero_grad()
            model(torch.ones(2, 3)).sum().backward()
            with torch.no_grad():
                for weight in model.parameters():
                    weight -= 0.01 * weight.grad
        assert no_modes()
        assert vars(nn.Module)["__call__"].__name__ == "_wrapped_call_impl"
    assert not run.facts("graph")


def test_an_optimizer_that_is_replaced_leaves_no_look_behind() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with fl.watch(model, optimizer, looks=range(9)) as run:
        for step in range(300):
            if step == 2:
                optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
            optimizer.zero_grad()
            model(torch.ones(2, 3)).sum().backward()
            optimizer.step()
        assert no_modes()
    assert [fact.step for fact in run.facts("graph")] == [0, 1]


def test_a_loop_without_steps_is_left_at_its_next_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "_MOST_OPERATIONS", 3)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer):
        for _ in range(3):
            model(torch.randn(8, 1, 12, 12))
        assert no_modes()


def test_the_curve_of_a_step_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "_MOST_MOMENTS", 30)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        with torch.no_grad():
            for _ in range(40):
                torch.ones(3).relu()
        train(model, optimizer, 1)
    assert len(run.graph()) > 0
    assert not run.facts("memory")


@pytest.mark.parametrize("name", ["_add", "_measure", "_enter_with_mode", "graph"])
def test_a_mistake_of_ours_costs_the_looks_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(StepTracer, name, broken)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer, looks=range(4)) as run, pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        train(model, optimizer, 4)
    assert len(run.metric("train/loss")) == 4
    assert len(run.facts("weights")) == 4, "the other look goes on"


def test_memory_that_cannot_be_counted_leaves_the_graph_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "workspace", lambda *_: 1 / 0)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run, pytest.warns(RuntimeWarning, match="ZeroDivisionError"):
        train(model, optimizer, 3)
    assert [fact.step for fact in run.facts("graph")] == [0]
    assert not run.facts("memory")
    assert len(run.metric("train/loss")) == 3


def test_graphs_take_no_more_than_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, "_MOST_ON_DISK", 1000)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer) as run:
        train(model, optimizer, 4)
    assert [fact.step for fact in run.facts("graph")] == [0]


def test_a_compiled_model_is_seen_as_a_whole() -> None:
    model = torch.compile(net(), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        with fl.watch(model, optimizer) as run:
            train(model, optimizer, 3)
    finally:
        torch._dynamo.reset()
    assert run.info["sees_less"] == ["compile"]
    assert "compiled" in {one.kind for one in run.graph()}
    assert not run.facts("memory")
    with pytest.raises(NoLook, match=r"torch\.compile"):
        run.memory()


def test_a_compiled_function_is_left_alone_as_long_as_it_lives() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    functions = [torch.compile(lambda x: 2 * x, backend="eager")]
    with fl.watch(model, optimizer) as run:
        train(model, optimizer, 2, lambda: functions[0](torch.ones(1)))
    assert run.info["sees_less"] == ["compile"]
    assert not run.facts("graph")
    functions.clear()
    other = torch.compile(net(), backend="eager")
    with fl.watch(model, optimizer) as run:
        train(model, optimizer, 2, lambda: other(torch.ones(1, 1, 12, 12)))
    assert "sees_less" not in run.info
    assert [fact.step for fact in run.facts("memory")] == [0, 1]


def test_canary_what_was_given_to_torch_compile_is_known() -> None:
    compiled = looks_module._CompiledFunctions()
    assert not compiled.any_alive()
    function, module = torch.compile(lambda x: x, backend="eager"), nn.Linear(1, 1)
    module.compile(backend="eager")
    assert compiled.any_alive(), "torch._dynamo.eval_frame.cached_backends, get_compiler_config"
    del function
    assert not compiled.any_alive()


def test_a_dispatcher_of_the_learners_own_may_begin_and_end_in_a_step() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    counter = FlopCounterMode(display=False)
    with fl.watch(model, optimizer, looks=range(9)) as run:
        counter.__enter__()
        train(model, optimizer, 2)
        counter.__exit__(None, None, None)
        train(model, optimizer, 2)
    assert counter.get_total_flops() > 0
    assert [fact.step for fact in run.facts("graph")] == [0, 1, 2, 3]
    assert [fact.step for fact in run.facts("memory")] == [0, 3], "none while somebody else's dispatcher is there"
