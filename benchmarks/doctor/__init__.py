"""How right and how quiet the doctor is: programs with known faults, their twins without, and right programs.

`programs/dev` and `programs/held` hold twins (`broken.py`, `fixed.py`, `twin.json`); rules were written without sight
of those in `held`. `programs/clean` holds right programs (`program.py`, `clean.json`), most of which look wrong.
"""
