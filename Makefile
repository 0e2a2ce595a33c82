# Everything a person does with a clone. Needs Python 3.10 or newer and make; `make lab` and `make test` set themselves up.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
PYTHON := python
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

.PHONY: lab test check bench venv clean

lab: .venv/ready  ## open the lab on the first lesson
	$(BIN)/firstlight lab

test: .venv/ready .venv/browser  ## every test, browser tests included, with coverage
	$(BIN)/python tools/test.py

check: .venv/ready  ## lint, format, types, room contracts, translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/firstlight lang check

bench: .venv/ready  ## measure against the bars and the peers, print the table, keep it in benchmarks/results
	$(BIN)/python -m benchmarks

venv: .venv/ready  ## set-up alone; costs nothing when nothing changed

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) tools/environment.py

.venv/browser: .venv/ready tools/browser.py
	$(BIN)/python tools/browser.py

clean:
	rm -rf .venv
