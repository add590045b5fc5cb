# Two commands matter: `make demo` and `make test`. Both set everything up first.
PYTHON ?= python3
PYTEST_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate \
	--no-header --python-version 3.11

.PHONY: setup demo test check lint format bench lock clean

setup: $(STAMP)

# The lock pins every package with its hash; the project itself is installed without asking
# for anything more. A stale stamp (lock or project file newer) repeats both steps.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info; \
		sys.exit(None if v >= (3, 11) else f"expected Python 3.11 or later, was {v.major}.{v.minor}: make PYTHON=...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/liqmon demo

# One after the other: many of them measure time, and would disturb each other.
test: setup lint check
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check: setup
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/liqmon bench

# Everything for development, and of the same versions what the image runs and is built with.
lock: setup
	$(COMPILE) --extra demo --extra dev pyproject.toml -o requirements.lock
	$(COMPILE) --constraint requirements.lock pyproject.toml -o deploy/image/runtime.lock
	$(COMPILE) --constraint requirements.lock --group pyproject.toml:build -o deploy/image/build.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
