"""The learner's line is found through torch's frames and ours, and the cell's number in a notebook."""

import inspect
import types

import pytest
import torch

import firstlight.data
from firstlight.graph import trace
from firstlight.graph.source import cell_number, kind_of_file, set_apart


def test_files_are_told_apart():
    assert kind_of_file(torch.nn.functional.__file__) == "torch"
    assert kind_of_file(inspect.getfile(torch.optim.SGD)) == "optimizer"
    assert kind_of_file(inspect.getfile(torch.utils.data.DataLoader)) == "data"
    assert kind_of_file(inspect.getfile(firstlight.data.Dataset)) == "data"
    assert kind_of_file(types.__file__) == "system"
    assert kind_of_file(__file__) == "own"
    assert kind_of_file("<frozen importlib._bootstrap>") == "system"
    assert kind_of_file("/tmp/torchinductor_me/ab/cd.py") == "compiled"
    assert kind_of_file("/home/me/lib/python3.11/site-packages/timm/models.py") == "own"


def test_what_runs_programs_of_others_is_no_part_of_them():
    assert kind_of_file("runner.py") == "own"
    set_apart("runner.py")
    assert kind_of_file("runner.py") == "system"


def test_the_line_in_forward():
    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x)  # this very line

    source = trace(Net(), torch.zeros(1))[0].source
    assert source.text == "return torch.relu(x)  # this very line"
    assert str(source).startswith("test_source.py:")
    assert source.cell is None


@pytest.mark.jupyter
def test_ipython_keeps_the_numbers_of_cells():
    """Canary: in a real shell, an operation knows its cell."""
    pytest.importorskip("IPython")
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        shell.run_cell("1 + 1", store_history=True)
        code = "import torch\nfrom firstlight.graph import trace\n"
        code += "model = torch.nn.Linear(2, 2)\ngraph = trace(model, torch.zeros(1, 2))"
        number = shell.execution_count
        assert shell.run_cell(code, store_history=True).success
        graph = shell.user_ns["graph"]
        assert graph[0].source.cell == number
        assert graph[0].source.line == 4
        assert str(graph[0].source) == f"In [{number}]:4"
        assert graph.calls[0].model == "model"
    finally:
        InteractiveShell.clear_instance()
    assert cell_number("nothing.py") is None
