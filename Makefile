# Two commands: `make demo` and `make test`. Both set up .venv by themselves, once.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test format reference clean

demo: .venv/ready
	@$(BIN)/classeur demo

test: .venv/ready
	@$(BIN)/ruff check src tests benchmarks docs/reference.py
	@$(BIN)/ruff format --check src tests benchmarks docs/reference.py
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest

format: .venv/ready
	@$(BIN)/ruff format src tests benchmarks docs/reference.py
	@$(BIN)/ruff check --fix src tests benchmarks docs/reference.py

reference: .venv/ready
	@$(BIN)/python docs/reference.py

# The stamp is written last: an interrupted set-up is done again, a finished one is not.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Classeur needs Python 3.11 or newer, found %d.%d. Try: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@echo "Setting up .venv (once, a few minutes) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/ready

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
