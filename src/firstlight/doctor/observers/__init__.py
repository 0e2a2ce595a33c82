"""What listens for the doctor: one file per subject. Being in this folder registers the observers of a file."""

import pkgutil
from functools import cache
from importlib import import_module

from firstlight.doctor.observer import Observer


@cache
def all_observers() -> tuple[type[Observer], ...]:
    """The classes, in the order of their files."""
    found: list[type[Observer]] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        loaded = import_module(f"{__name__}.{module.name}")
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Observer) and value.__module__ == loaded.__name__:
                found.append(value)
    return tuple(found)
