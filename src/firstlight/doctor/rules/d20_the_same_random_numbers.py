"""D20 the-same-random-numbers: each sample, or each worker, draws the same random numbers."""

import ast
from collections import Counter
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import dotted, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_SEEDS = ("Random", "default_rng", "RandomState", "manual_seed", "seed", "seed_everything")


def find(run: Run) -> Iterator[Finding]:
    """A generator that begins at one number for each sample, each batch or each worker; workers that copy one."""
    trained = {feed["dataset"] for feed in newest(run, "feeds") or [] if feed["learned"]}
    for unit in Code.of(run).units:
        for node in unit.nodes:
            if not isinstance(node, ast.ClassDef) or node.name not in trained:
                continue
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__getitem__":
                    for call in _fixed(method):
                        yield Finding(
                            evidence=_(
                                "{call} stands in __getitem__ of {name}.", call=ast.unparse(call), name=node.name
                            ),
                            step=0,
                            place=unit.place(call),
                        )
                        return
    yield from _rests(run, trained)
    yield from _workers(run)
    yield from _copies(run)
    yield from _for_each_batch(run)


def _rests(run: Run, trained: set[str]) -> Iterator[Finding]:
    """A generator that begins at a number which a method such as `set_epoch` would change, and nothing calls it."""
    code = Code.of(run)
    again = Counter((feed["dataset"], feed["base"]) for feed in newest(run, "feeds") or [] if feed["learned"])
    passes = {name: count for (name, _base), count in sorted(again.items(), key=lambda one: one[1])}  # the most of each
    called = {callee(node) for _place, node, _unit in code.walk(ast.Call)}
    stored = [node for _place, node, _unit in code.walk(ast.Attribute) if isinstance(node.ctx, ast.Store)]
    for _place, owner, unit in code.walk(ast.ClassDef):
        if owner.name not in trained or passes.get(owner.name, 0) < 2:
            continue
        methods = {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}
        for call in ast.walk(methods["__getitem__"]) if "__getitem__" in methods else ():
            if not isinstance(call, ast.Call) or callee(call) not in _SEEDS:
                continue
            by = {dotted(node) for node in ast.walk(call) if isinstance(node, ast.Attribute)}
            for name, method in methods.items():
                if name.startswith("__") or name in called:
                    continue
                set_here = {dotted(to): to.attr for to in stored if any(to is node for node in ast.walk(method))}
                for full in by & set(set_here):
                    others = [to for to in stored if to.attr == set_here[full] and dotted(to) != full]
                    begun = [to for to in stored if dotted(to) == full]
                    if not others and len(begun) == 2:  # there, and where it begins
                        yield Finding(
                            evidence=_(
                                "{call} begins at {attribute}, which only {method} sets. Nothing calls it: all "
                                "{count} passes drew the same numbers.",
                                call=ast.unparse(call),
                                attribute=full,
                                method=name,
                                count=passes[owner.name],
                            ),
                            step=0,
                            place=unit.place(call),
                        )
                        return


def _for_each_batch(run: Run) -> Iterator[Finding]:
    """A generator that begins at one number at the same line, step after step: heard, or else read."""
    steps = (newest(run, "witness") or {}).get("backwards", 0)
    heard = (newest(run, "seeds") or {}).get("own", [])
    read = [
        {"seed": ast.unparse(seed), "place": place.as_json(), "times": steps, "step": 1}
        for place, seed in _in_steps(Code.of(run))
        if steps >= 20
    ]
    for one in [*heard, *read]:
        place = Place.from_json(one["place"])
        if _makes_one_thing(Code.of(run), place):
            continue
        yield Finding(
            evidence=_(
                "Seed {seed} was set {times} times in one training, which then went on with the same random numbers.",
                seed=one["seed"],
                times=one["times"],
            ),
            step=one["step"],
            place=place,
        )
        return


def _in_steps(code: Code) -> Iterator[tuple[Place, ast.expr]]:
    """Generators that begin at a number which never changes, in what the loop over batches calls."""
    functions = {node.name: node for _place, node, _unit in code.walk(ast.FunctionDef)}
    classes = {node.name: node for _place, node, _unit in code.walk(ast.ClassDef)}
    instances = {name.lower(): name for name in classes}
    for _place, made, _unit in code.walk(ast.Assign):
        if isinstance(made.value, ast.Call) and callee(made.value) in classes:
            instances |= {ast.unparse(to).rsplit(".", 1)[-1]: callee(made.value) for to in made.targets}
    steps = {name for name, node in functions.items() if _calls(node) & {"backward"}}
    for kind in (ast.For, ast.While):
        for _place, loop, unit in code.walk(kind):
            called = _calls(loop)
            inner = any(
                isinstance(node, ast.For | ast.While) and node is not loop and _calls(node) & {"backward", *steps}
                for node in ast.walk(loop)
            )
            loops_inside = any(
                isinstance(node, ast.For | ast.While) for name in called & steps for node in ast.walk(functions[name])
            )
            if inner or loops_inside or not called & {"backward", *steps}:
                continue
            for name in sorted(called | {other for one in called & set(functions) for other in _calls(functions[one])}):
                for function, owner in _run_by(name, functions, classes, instances):
                    for node in ast.walk(function):
                        fixed = isinstance(node, ast.Call) and callee(node) in _SEEDS and len(node.args) == 1
                        if not fixed or not isinstance(node, ast.Call) or ast.unparse(node.func) == "torch.manual_seed":
                            continue
                        if _never_changes(node.args[0], function, owner, loop):
                            yield unit.place(node), node.args[0]


def _calls(node: ast.AST) -> set[str]:
    return {callee(one) for one in ast.walk(node) if isinstance(one, ast.Call)}


def _run_by(
    name: str, functions: dict[str, ast.FunctionDef], classes: dict[str, ast.ClassDef], instances: dict[str, str]
) -> Iterator[tuple[ast.FunctionDef, ast.ClassDef | None]]:
    """The function of this name, or what runs where an object of this name is called."""
    owner = classes.get(instances.get(name, ""))
    if owner is not None:
        for method in owner.body:
            if isinstance(method, ast.FunctionDef) and method.name in ("__call__", "forward"):
                yield method, owner
    elif name in functions:
        yield functions[name], None


def _never_changes(seed: ast.expr, function: ast.FunctionDef, owner: ast.ClassDef | None, loop: ast.AST) -> bool:
    """Whether it is a number, what only `__init__` sets, or a default that the loop leaves as it is."""
    if isinstance(seed, ast.Constant):
        return isinstance(seed.value, int)
    if isinstance(seed, ast.Attribute) and owner is not None and ast.unparse(seed.value) == "self":
        stored = [
            method.name
            for method in owner.body
            if isinstance(method, ast.FunctionDef)
            for node in ast.walk(method)
            if isinstance(node, ast.Attribute) and node.attr == seed.attr and isinstance(node.ctx, ast.Store)
        ]
        return stored == ["__init__"]
    names = [arg.arg for arg in function.args.args]
    if not isinstance(seed, ast.Name) or seed.id not in names[len(names) - len(function.args.defaults) :]:
        return False
    asked = [n for n in ast.walk(loop) if isinstance(n, ast.Call) and callee(n) == function.name]
    return bool(asked) and all(
        len(node.args) <= names.index(seed.id) and not any(one.arg == seed.id for one in node.keywords)
        for node in asked
    )


def _makes_one_thing(code: Code, place: Place | None) -> bool:
    """Whether what is drawn is the same on purpose: an order of columns, or a matrix that inputs are multiplied by."""
    spot = spot_of(code, place)
    if spot is None:
        return True
    around: ast.AST = spot.function if isinstance(spot.function, ast.FunctionDef) else spot.unit.tree
    calls = {callee(node) for node in ast.walk(around) if isinstance(node, ast.Call)}
    multiplies = any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) for node in ast.walk(around))
    return multiplies or bool(calls & {"permutation", "permuted", "shuffle", "sample", "matmul", "einsum", "linear"})


def _copies(run: Run) -> Iterator[Finding]:
    """A dataset that draws from a generator which it keeps, read by workers: each of them begins with the same copy."""
    learned = [feed["made"] for feed in newest(run, "feeds") or [] if feed["learned"]]
    code = Code.of(run)
    for loader in (newest(run, "resources") or {}).get("loaders", []):
        if loader["place"] not in learned or (loader["persistent"] and loader["workers"] < 2):
            continue
        for name in loader["copied"]:
            draws = [
                place
                for place, node, _unit in code.walk(ast.Call)
                if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == f"self.{name}"
            ]
            methods = [
                method
                for _place, node, _unit in code.walk(ast.ClassDef)
                if node.name == loader["dataset"]
                for method in node.body
                if isinstance(method, ast.FunctionDef) and method.name == "__getitem__"
            ]
            own = [node for method in methods for node in ast.walk(method)]
            asks = any(isinstance(node, ast.Call) and callee(node) == "get_worker_info" for node in own)
            seeds = any(
                isinstance(node, ast.Call) and callee(node) in ("manual_seed", "seed")
                for node in own
                if f"self.{name}." in ast.unparse(node)
            )
            used = any(isinstance(node, ast.Attribute) and ast.unparse(node) == f"self.{name}" for node in own)
            if draws and used and not asks and not seeds:
                yield Finding(
                    evidence=_(
                        "{dataset} draws from its own self.{name}. Each of {workers} workers begins with a copy of "
                        "it, at the same place.",
                        dataset=loader["dataset"],
                        name=name,
                        workers=loader["workers"],
                    ),
                    step=0,
                    place=draws[0],
                    places=tuple(place for place in [Place.from_json(loader["place"])] if place is not None),
                )
                return


def _workers(run: Run) -> Iterator[Finding]:
    """The same in a function that each worker begins with."""
    for unit in Code.of(run).units:
        functions = {n.name: n for n in unit.nodes if isinstance(n, ast.FunctionDef)}
        for node in unit.nodes:
            if (
                not isinstance(node, ast.keyword)
                or node.arg != "worker_init_fn"
                or not isinstance(node.value, ast.Name)
            ):
                continue
            function = functions.get(node.value.id)
            for call in _fixed(function) if function is not None else []:
                yield Finding(
                    evidence=_(
                        "{call} stands in {name}, which every worker runs.", call=ast.unparse(call), name=node.value.id
                    ),
                    step=0,
                    place=Place(unit.file, call.lineno, unit.text.splitlines()[call.lineno - 1].strip(), unit.cell),
                )
                return


def _fixed(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or callee(node) not in _SEEDS or not node.args:
            continue
        if all(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in node.args):
            yield node


RIGHT = (
    LOADERS.replace("import DataLoader, TensorDataset", "import DataLoader, Dataset, TensorDataset")
    .replace(
        "torch.manual_seed(0)\n",
        "import random\n\n\nclass Shifted(Dataset):\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n\n"
        "    def __len__(self):\n        return len(self.x)\n\n    def __getitem__(self, i):\n        rng = "
        "random.Random()\n"
        "        return self.x[i] + rng.random(), self.y[i]\n\n\ntorch.manual_seed(0)\n",
        1,
    )
    .replace("TensorDataset(x, y)", "Shifted(x, y)")
)

PROJECTED = """\
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(480, 8)
y = (x[:, 0] > 0).long()


def project(some):
    matrix = np.random.default_rng(3).normal(size=(8, 8))
    return some @ torch.from_numpy(matrix).float()


net = nn.Linear(8, 2)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(40):
    rows = torch.randint(480, (32,))
    loss = nn.functional.cross_entropy(net(project(x[rows])), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="D20",
    name="the-same-random-numbers",
    voice="alarm",
    stage="data",
    question="Does each sample draw its own random numbers?",
    needs=("feeds", "seeds"),
    find=find,
    text=Text(
        what="The random numbers begin anew, at the same seed, each time a sample is read.",
        why="Every sample is then changed in the same way in every epoch: there is no variety in the augmentation.",
        do="Make the generator once outside of __getitem__, or draw from torch's own random numbers.",
    ),
    broken=RIGHT.replace("random.Random()", "random.Random(7)"),
    fixed=RIGHT,
    lookalikes={
        "a seed for each sample": RIGHT.replace("random.Random()", "random.Random(i)"),
        "inputs are multiplied by one matrix of random numbers": PROJECTED,
        "the same noise in each evaluation": PROJECTED.replace("project(x[rows])", "x[rows] @ torch.eye(8)").replace(
            "    loss.backward()", "    loss.backward()\n    if step % 5 == 4:\n        net(project(x))"
        ),
    },
    explains=("D19", "P02"),
)
