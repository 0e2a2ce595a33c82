"""Canaries: each notices when a private name of another package, which `compat.py` uses, changes or goes away."""

import inspect
from typing import Any

import pytest
import torch

from firstlight import compat

pytestmark = pytest.mark.jupyter


class NoComm:
    """A comm of some other front end, without any of ipykernel's private names."""


def test_a_comm_without_the_private_names_is_left_alone() -> None:
    comm = NoComm()
    compat.hear_while_busy(comm)
    assert not vars(comm)


def test_ipykernel_routes_comm_messages_by_reply_subshell_for() -> None:
    import ipykernel
    from ipykernel.comm.comm import BaseComm
    from ipykernel.kernelbase import Kernel

    if ipykernel.version_info[:2] < (7, 4):
        pytest.skip("routes as the page chose")
    assert list(inspect.signature(BaseComm._reply_subshell_for).parameters) == ["self", "data", "default"]
    # The kernel asks by this name. Gone from here: look whether messages still follow the last sender (docs/view.md).
    assert "_reply_subshell_for" in inspect.getsource(Kernel.shell_channel_thread_main)


def test_comm_fires_events_around_each_message_and_ours_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from comm.base_comm import BaseComm

    source = inspect.getsource(BaseComm.handle_msg)
    assert "_msg_callback" in source
    assert "post_execute" in source, "comm no longer loses figures: compat.hear_while_busy can be shorter"

    class Quiet(BaseComm):
        def publish_msg(self, *_args: Any, **_more: Any) -> None:
            """A comm that is connected to nothing."""

    comm = Quiet()
    compat.hear_while_busy(comm)
    comm.handle_msg({"early": True})  # before there is a callback
    heard: list[Any] = []
    comm.on_msg(heard.append)
    monkeypatch.setattr("IPython.get_ipython", lambda: pytest.fail("events would be fired"))
    comm.handle_msg({"data": 1})
    assert heard == [{"data": 1}]


def test_replies_go_where_the_page_chose() -> None:
    class Comm:
        def _reply_subshell_for(self, data: Any, default: Any) -> Any:
            return "the last sender"

    comm = Comm()
    compat.hear_while_busy(comm)
    assert comm._reply_subshell_for({"content": {}}, "as chosen") == "as chosen"


def test_a_stopped_cell_ends_without_an_error_by_public_names_of_ipython() -> None:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    result = ExecutionResult(ExecutionInfo("", False, False, False, None))
    result.error_in_exec = KeyboardInterrupt()
    assert not result.success
    result.error_in_exec = None
    assert result.success
    assert "self.custom_exceptions" in inspect.getsource(InteractiveShell.run_code)
    assert hasattr(InteractiveShell, "CustomTB") or "self.CustomTB" in inspect.getsource(InteractiveShell.run_code)


def test_torch_says_that_there_is_no_memory_in_words_that_are_known() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert compat.wants_memory(error.value)
    assert compat.wants_memory(torch.OutOfMemoryError("on an accelerator"))
    assert not compat.wants_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
