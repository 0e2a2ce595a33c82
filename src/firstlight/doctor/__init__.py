"""The doctor: why a training does not do what it should. Finds bugs that training hides, and is silent when unsure.

A `Witness` listens to whatever trains in this process; what its observers know becomes facts in a record. Rules read
the record and give findings; `examine` puts the first causes first. Nothing here changes a run: losses, weights, random
numbers, modes and files are the same with and without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.doctor.examining import examine as examine
    from firstlight.doctor.report import Report as Report
    from firstlight.doctor.rule import Finding as Finding
    from firstlight.doctor.rule import Rule as Rule
    from firstlight.doctor.witness import attend as attend

_HOMES = {"examine": "examining", "Report": "report", "Finding": "rule", "Rule": "rule", "attend": "witness"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"firstlight.doctor.{_HOMES[name]}"), name)
