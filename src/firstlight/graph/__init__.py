"""The computation of one forward pass: what ran, in which order, with which shapes, and the way back.

    trace(model, x) -> Graph     # without training, and without a trace left in the model
    shapes(model, x) -> Shapes   # how each shape follows from the one before, in numbers; where it breaks, and why
    memory(model, batch, optimizer) -> Forecast   # what a training step will hold, before it runs
    Tracer                       # the same around any code, such as a step of a plain loop
    Graph.rows(), from_rows()    # as JSON, for `run.add_operations`

A graph refers to no tensor. Watching changes nothing: the same bits, the same random numbers, no memory held.
"""

from firstlight.graph.forecast import CannotForecast, Forecast, ModuleMemory, NeedsClosure, memory
from firstlight.graph.operations import Call, Graph, Node, NotAGraph, Operation, Source, Value
from firstlight.graph.tracer import Tracer
from firstlight.graph.tracing import trace
from firstlight.graph.xray import Shapes, shapes

__all__ = [
    "Call", "CannotForecast", "Forecast", "Graph", "ModuleMemory", "NeedsClosure", "Node", "NotAGraph", "Operation",
    "Shapes", "Source", "Tracer", "Value", "memory", "shapes", "trace",
]  # fmt: skip
