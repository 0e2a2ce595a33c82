"""The same network trained as the users of other libraries train it, one readable file each; run in .venv-peers."""
