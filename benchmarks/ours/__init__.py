"""What firstlight does in the comparisons, one readable file each; run in .venv."""
