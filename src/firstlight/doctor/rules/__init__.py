"""The rules, one file each. Being in this folder registers a rule; its code is its id in the fault catalogue."""

import pkgutil
from functools import cache
from importlib import import_module

from firstlight.doctor.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """The rules by their codes."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(import_module(f"{__name__}.{name}").rule for name in names)
