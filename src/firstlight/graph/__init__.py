"""The computation of one forward pass: what ran, in which order, with which shapes, and the way back.

    trace(model, x) -> Graph     # without training, and without a trace left in the model
    shapes(model, x) -> Shapes   # how each shape follows from the one before, in numbers; where it breaks, and why
    memory(model, batch, optimizer) -> Forecast   # what a training step will hold, before it runs
    Tracer                       # the same around any code, such as a step of a plain loop
    Graph.rows(), from_rows()    # as JSON, for `run.add_operations`

Each name is loaded on first use: to read and draw a recorded graph needs no torch.

A graph refers to no tensor. Watching changes nothing: the same bits, the same random numbers, no memory held.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.graph.forecast import CannotForecast as CannotForecast
    from firstlight.graph.forecast import Forecast as Forecast
    from firstlight.graph.forecast import ModuleMemory as ModuleMemory
    from firstlight.graph.forecast import NeedsClosure as NeedsClosure
    from firstlight.graph.forecast import memory as memory
    from firstlight.graph.operations import Call as Call
    from firstlight.graph.operations import Graph as Graph
    from firstlight.graph.operations import Node as Node
    from firstlight.graph.operations import NotAGraph as NotAGraph
    from firstlight.graph.operations import Operation as Operation
    from firstlight.graph.operations import Source as Source
    from firstlight.graph.operations import Value as Value
    from firstlight.graph.tracer import Tracer as Tracer
    from firstlight.graph.tracing import trace as trace
    from firstlight.graph.xray import Shapes as Shapes
    from firstlight.graph.xray import shapes as shapes

_MODULES = {
    "forecast": ("CannotForecast", "Forecast", "ModuleMemory", "NeedsClosure", "memory"),
    "operations": ("Call", "Graph", "Node", "NotAGraph", "Operation", "Source", "Value"),
    "tracer": ("Tracer",),
    "tracing": ("trace",),
    "xray": ("Shapes", "shapes"),
}

__all__ = [
    "Call", "CannotForecast", "Forecast", "Graph", "ModuleMemory", "NeedsClosure", "Node", "NotAGraph", "Operation",
    "Shapes", "Source", "Tracer", "Value", "memory", "shapes", "trace",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
