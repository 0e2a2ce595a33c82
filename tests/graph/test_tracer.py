"""Watching changes nothing, and sees everything."""

import contextlib
import gc
import itertools
import json
import threading
import weakref

import pytest
import torch
from torch import nn, overrides
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from firstlight.data.trees import expressions
from firstlight.graph import Graph, NotAGraph, Tracer, trace


class Block(nn.Module):
    def __init__(self, forward, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.compute = forward

    def forward(self, *inputs, **named):
        return self.compute(self, *inputs, **named)


class TreeNet(nn.Module):
    """Calls itself for the parts of an expression."""

    def __init__(self):
        super().__init__()
        self.digit = nn.Embedding(10, 8)
        self.join = nn.ModuleDict({"plus": nn.Linear(16, 8), "minus": nn.Linear(16, 8), "times": nn.Linear(16, 8)})

    def forward(self, tree):
        if isinstance(tree, int):
            return self.digit(torch.tensor(tree))
        layer = self.join[{"+": "plus", "-": "minus", "*": "times"}[tree.operation]]
        return torch.tanh(layer(torch.cat([self(tree.left), self(tree.right)])))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(),
        nn.Linear(36, 3),
    )  # fmt: skip


def carried(self, x):
    hidden = None
    for part in x:
        hidden = self.cell(part, hidden)
    return hidden


def in_place(self, x):
    y = self.layer(x)
    y[:, 0] = 1
    y[:, 1].mul_(2)
    return y.relu_() + 1


def reentrant(self, x):
    return checkpoint(self.layer, x, use_reentrant=True).sum(1)


def spared(self, x):
    return checkpoint(self.layer, x, use_reentrant=False).sum(1)


def many(self, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return {"a": self.layer(x), "b": (x, [self.layer(x) * 2])}


def free(self, x):
    with torch.no_grad():
        noise = torch.rand_like(x)
    with torch.device("cpu"):
        return self.layer(x + noise) + torch.rand(3)


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(x.detach().numpy() ** 2)

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


def x(*shape):
    return torch.randn(*shape)


PROGRAMS = {
    "mlp": lambda: (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), (x(5, 4),)),
    "cnn": lambda: (cnn(), (x(4, 1, 8, 8),)),
    "lstm": lambda: (nn.LSTM(4, 3), (x(5, 2, 4),)),
    "packed": lambda: (nn.GRU(4, 3), (nn.utils.rnn.pack_sequence([x(3, 4), x(2, 4)]),)),
    "carried": lambda: (Block(carried, cell=nn.GRUCell(4, 3)), (x(5, 2, 4),)),
    "transformer": lambda: (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (x(2, 5, 8),)),
    "transformer eval": lambda: (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), (x(2, 5, 8),)),
    "attention": lambda: (nn.MultiheadAttention(8, 2), (x(5, 2, 8), x(5, 2, 8), x(5, 2, 8))),
    "tree": lambda: (TreeNet(), (expressions(1, 3)[0],)),
    "in place": lambda: (Block(in_place, layer=nn.Linear(4, 3)), (x(5, 4),)),
    "reentrant": lambda: (Block(reentrant, layer=nn.Linear(4, 3)), (x(5, 4).requires_grad_(),)),
    "checkpoint": lambda: (Block(spared, layer=nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Dropout())), (x(5, 4),)),
    "autocast": lambda: (Block(many, layer=nn.Linear(4, 3)), (x(5, 4),)),
    "modes": lambda: (Block(free, layer=nn.Linear(4, 3)), (x(5, 4),)),
    "own function": lambda: (Block(lambda s, x: Own.apply(s.layer(x)).sum(1), layer=nn.Linear(4, 3)), (x(5, 4),)),
    "shared": lambda: (Block(lambda s, x: s.layer(s.layer(x)), layer=nn.Linear(4, 4)), (x(5, 4),)),
    "embedding": lambda: (nn.Embedding(9, 3, max_norm=0.1), (torch.tensor([[1, 2], [3, 3]]),)),
    "no tensor": lambda: (Block(lambda s, n: s.layer(torch.randn(n, 4)), layer=nn.Linear(4, 3)), (5,)),
    "dictionary": lambda: (Block(lambda s, d: {"y": s.layer(d["x"])}, layer=nn.Linear(4, 3)), ({"x": x(5, 4)},)),
    "script": lambda: (torch.jit.script(nn.Linear(4, 3)), (x(5, 4),)),
    "spectral": lambda: (nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)), (x(5, 4),)),
    "double backward": lambda: (Block(penalised, layer=nn.Linear(4, 3)), (x(5, 4),)),
}


def penalised(self, x):
    x = x.detach().requires_grad_()
    out = self.layer(x).pow(2)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    return out.sum(1) + slope.norm(dim=1)


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for part in value for t in tensors(part)] if isinstance(value, (list, tuple)) else []


def train(name, steps, watching):
    """Every number that a short training makes."""
    with contextlib.suppress(DeprecationWarning):
        torch.manual_seed(0)
        model, inputs = PROGRAMS[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    found = []
    for step in range(steps):
        with Tracer(step=step) if watching else contextlib.nullcontext() as tracer:
            optimizer.zero_grad()
            outputs = tensors(model(*inputs))
            loss = sum(out.float().square().mean() for out in outputs if out.is_floating_point())
            loss.backward()
            optimizer.step()
        if watching:
            graph = tracer.graph()
            assert len(graph) > 0
            assert Graph.from_rows(json.loads(json.dumps(graph.rows())), step=step) == graph
        found += [loss.item(), *(p.detach().clone() for p in model.state_dict().values()), torch.get_rng_state()]
    return found


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_watching_changes_no_bit(name):
    plain, watched = train(name, 3, False), train(name, 3, True)
    assert len(plain) == len(watched)
    for one, other in zip(plain, watched, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    assert overrides._len_torch_function_stack() == 0
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_trace_leaves_no_trace(name):
    torch.manual_seed(0)
    model, inputs = PROGRAMS[name]()
    given = [t.clone() for t in tensors(inputs)]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {key: (value, value.clone(), value._version) for key, value in model.state_dict(keep_vars=True).items()}
    gradients = [(p, p.grad, p.grad._version) for p in model.parameters()]
    modes, numbers = [m.training for m in model.modules()], torch.get_rng_state()
    graph = trace(model, *inputs)
    assert len(graph)
    assert repr(graph)
    assert graph.picture().html
    assert repr(graph.shapes())
    assert not graph.diff(graph)
    assert torch.equal(numbers, torch.get_rng_state())
    assert modes == [m.training for m in model.modules()]
    now = model.state_dict(keep_vars=True)
    for key, (held, value, version) in before.items():
        if name != "script":
            assert now[key] is held, key
        assert torch.equal(now[key], value), key
        if name not in ("embedding", "script"):
            assert now[key]._version == version, key
    for parameter, gradient, version in gradients:
        assert parameter.grad is gradient or name == "script"
        assert parameter.grad._version == version
    assert all(torch.equal(one, other) for one, other in zip(given, tensors(inputs), strict=True))


def test_what_is_seen_of_a_small_network():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    labels = torch.tensor([0, 1])
    graph = trace(model, torch.zeros(2, 1, 8, 8), loss=lambda out: F.cross_entropy(out, labels))
    assert [operation.name for operation in graph] == ["conv2d", "relu", "flatten", "linear", "cross_entropy"]
    assert graph.edges == ((0, 1), (1, 2), (2, 3), (3, 4))
    assert [graph.place(operation) for operation in graph][:2] == ["0 (Conv2d)", "1 (ReLU)"]
    conv, relu, *_rest, loss = graph
    assert [value.label for value in conv.inputs] == ["", "0.weight", "0.bias"]
    assert conv.inputs[0].what == "input"
    assert conv.argument("padding") == [0, 0]
    assert conv.argument("weight").shape == (4, 1, 3, 3)
    assert relu.saved_bytes == 2 * 4 * 6 * 6 * 4  # its result
    assert conv.saved_bytes == 2 * 8 * 8 * 4  # its input; weights do not count
    assert loss.outputs[0].shape == ()
    assert loss.inputs[1].what == "outside"
    assert graph.parameters == {"0.weight": 36, "0.bias": 4, "3.weight": 432, "3.bias": 3}
    names = {node.id: node.name for node in graph.nodes}
    edges = {(names[one], names[other]) for one, other in graph.backward_edges}
    assert ("ReluBackward0", "ConvolutionBackward0") in edges
    assert ("NllLossBackward0", "LogSoftmaxBackward0") in edges
    assert {node.parameter for node in graph.nodes if node.name == "AccumulateGrad"} == set(graph.parameters)
    assert conv.source.file == __file__
    assert "trace(model" in conv.source.text
    assert [operation.id for operation in graph.find("CONV")] == [0]
    assert graph.find("cross_entropy(out")[0].name == "conv2d"  # by the line
    assert list(graph.modules) == ["Sequential", "Sequential.0", "Sequential.1", "Sequential.2", "Sequential.3"]
    assert graph.summary()["relu"] == 1
    with pytest.raises(IndexError, match="no operation 99"):
        graph[99]


def test_without_gradients_there_is_no_way_back():
    with torch.no_grad():
        graph = trace(nn.Linear(3, 2), torch.zeros(1, 3))
    assert not graph.nodes
    assert "No way back" in graph.picture().html


def test_saved_memory_counts_each_storage_once():
    model = Block(lambda s, x: (y := s.layer(x)).relu() * y.sigmoid(), layer=nn.Linear(10, 10))
    graph = trace(model, torch.zeros(4, 10))
    # the input of linear; relu's result; sigmoid's result: mul holds both again and counts neither
    assert graph.saved_bytes == 3 * 160
    assert graph.operations[-1].saved_bytes == 0


def test_loops_and_shared_modules_are_unrolled():
    graph = trace(PROGRAMS["carried"]()[0], torch.zeros(5, 2, 4))
    calls = [call for call in graph.calls if call.module == "cell"]
    assert [call.number for call in calls] == [1, 2, 3, 4, 5]
    assert calls[1].title == "cell (GRUCell) #2"
    assert len(graph.parameters) == 4


def test_trees_differ_from_sample_to_sample():
    model = TreeNet()
    graphs = [trace(model, tree) for tree in expressions(6, 1)]
    for before, after in itertools.pairwise(graphs):
        difference = before.diff(after)
        assert difference
        assert len(after) - len(before) == len(difference.added) - len(difference.removed)
        assert "fl-add" in difference.picture().html or "fl-gone" in difference.picture().html
    assert graphs[0].calls[0].module == ""
    assert any(call.parent == 0 and call.module == "" for call in graphs[0].calls)


def test_the_difference_of_variable_lengths():
    model = nn.LSTM(4, 3)
    a, b = trace(model, torch.zeros(5, 2, 4)), trace(model, torch.zeros(7, 2, 4))
    difference = a.diff(b)
    assert not difference.added
    assert [one.name for one, _other in difference.changed] == ["lstm"]
    assert "becomes" in repr(difference)
    assert "<del>" in difference.picture().html
    loop = PROGRAMS["carried"]()[0]
    difference = trace(loop, torch.zeros(3, 2, 4)).diff(trace(loop, torch.zeros(5, 2, 4)))
    assert [operation.name for operation in difference.added].count("gru_cell") == 2
    assert "1 added" in trace(nn.ReLU(), torch.zeros(1)).diff(trace(nn.Sequential(nn.ReLU()), torch.zeros(1))).heading


def test_two_models_are_told_apart():
    generator, judge = nn.Sequential(nn.Linear(2, 4)), nn.Sequential(nn.Linear(4, 1))
    with Tracer(step=7) as tracer:
        judge(generator(torch.zeros(3, 2))).mean().backward()
    graph = tracer.graph()
    assert {call.model for call in graph.calls} == {"Sequential", "Sequential 2"}
    assert graph.step == 7
    assert "step 7" in repr(graph)
    assert graph.edges[-1] == (2, 3)


def test_the_optimizer_and_the_loader_are_no_part_of_the_model():
    data = torch.utils.data.TensorDataset(torch.randn(8, 3))
    model = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), foreach=False)
    with Tracer() as tracer:
        for (batch,) in torch.utils.data.DataLoader(data, 4):
            model(batch).sum().backward()
            optimizer.step()
    assert [operation.name for operation in tracer.graph()] == ["linear", "sum"] * 2


def test_no_tensor_is_kept_alive():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    gc.disable()
    try:
        with Tracer() as tracer:
            out = model(torch.zeros(2, 4))
            kept = weakref.ref(out)
            node = []
            out.register_hook(lambda g, n=node: g)
            del out
            assert kept() is None
        graph = tracer.graph()
    finally:
        gc.enable()
    assert len(graph) == 3


def test_blocks_that_begin_before_and_end_in_between():
    class Counting(TorchFunctionMode):
        seen = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            Counting.seen += 1
            return func(*args, **(kwargs or {}))

    tracer = Tracer()
    with torch.device("cpu"), Counting():
        tracer.start()
        tracer.start()
        torch.zeros(2)
        inner = Counting()
        inner.__enter__()
        torch.ones(2)
    assert overrides._len_torch_function_stack() == 2  # ours, and the one that is still open
    tracer.stop()
    tracer.stop()
    inner.__exit__(None, None, None)
    assert overrides._len_torch_function_stack() == 0
    assert [operation.name for operation in tracer.graph()] == ["zeros", "ones"]
    assert Counting.seen >= 3


def test_tracers_within_tracers_and_other_threads():
    model = nn.Linear(3, 2)
    with Tracer() as outer:
        model(torch.zeros(1, 3))
        inner = trace(model, torch.zeros(1, 3))
        other = threading.Thread(target=lambda: model(torch.zeros(1, 3)))
        other.start()
        other.join()
    assert len(inner) == 1
    assert [operation.name for operation in outer.graph()][:2] == ["zeros", "linear"]
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"


def test_an_exception_passes_through_and_everything_is_put_back():
    with pytest.raises(ZeroDivisionError), Tracer() as tracer:
        Block(lambda s: 1 / 0)()
    assert overrides._len_torch_function_stack() == 0
    assert tracer.failed is not None
    assert tracer.failed.name == "forward"
    with pytest.raises(KeyboardInterrupt), Tracer():
        Block(lambda s: (_ for _ in ()).throw(KeyboardInterrupt))()
    assert nn.Module.__call__.__name__ == "_wrapped_call_impl"


def test_what_pytorch_does_not_show_is_one_operation():
    graph = trace(*[PROGRAMS["own function"]()[0], x(5, 4)])
    assert [o.name for o in graph if o.kind == "function"] == ["Own"]
    assert graph.edges[-1][1] == len(graph) - 1
    graph = trace(PROGRAMS["reentrant"]()[0], x(5, 4).requires_grad_())
    assert any(o.kind == "function" and o.name == "CheckpointFunction" for o in graph)
    graph = trace(PROGRAMS["checkpoint"]()[0], x(5, 4))
    assert any(o.packed for o in graph)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch.compile's own
@pytest.mark.parametrize("way", ["whole", "itself", "function"])
def test_a_compiled_model_is_one_operation_and_is_not_compiled_anew(way):
    count = []

    def backend(module, inputs):
        count.append(1)
        return module.forward

    torch._dynamo.reset()
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    if way == "whole":
        model = torch.compile(inner, backend=backend)
    elif way == "itself":
        inner.compile(backend=backend)
        model = inner
    else:
        model = Block(lambda s, x: s.compute_fast(s.inner(x)), inner=nn.Linear(4, 4))
        model.compute_fast = torch.compile(lambda x: torch.relu(x) * 2, backend=backend)
    data = x(3, 4)
    plain = model(data)
    before = len(count)
    graph = trace(model, data)
    again = model(data)
    assert torch.equal(plain, again)
    if way != "function":
        assert len(count) == before
        assert graph.compiled
        assert [o.kind for o in graph] == ["compiled"]
        assert "compiled" in repr(graph)
        assert "Part of this model is compiled" in graph.picture().html
    torch._dynamo.reset()


def test_rows_of_something_else():
    with pytest.raises(NotAGraph, match="no graph"):
        Graph.from_rows([{"row": "call"}])
    with pytest.raises(NotAGraph):
        Graph.from_rows([{"row": "graph", "format": 99}])


def test_rows_go_through_a_run(tmp_path):
    from firstlight.run import Run

    graph = trace(cnn(), x(2, 1, 8, 8))
    run = Run.start(name="graph")
    run.add_operations(3, graph.rows())
    run.finish()
    assert Graph.from_rows(run.operations(3), step=3) == graph.at(3)


def test_private_names_of_pytorch():
    """Canary: without these, a mode cannot be put at the bottom, and what a checkpoint holds cannot be told."""
    for name in ("_push_mode", "_pop_mode", "_len_torch_function_stack"):
        assert hasattr(overrides, name)
    assert torch._C._autograd._top_saved_tensors_default_hooks(True) is None
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        assert torch._C._autograd._top_saved_tensors_default_hooks(True) is not None
    assert isinstance(torch.zeros(1, requires_grad=True).view(1).grad_fn.metadata, dict)
