"""The command line: `firstlight lab`, `selftest`, `runs`, `watch`, `lang`. Each calls what a notebook can call too."""

from firstlight.cli.main import main

__all__ = ["main"]
