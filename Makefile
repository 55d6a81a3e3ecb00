# Each target does one obvious thing. Only Python 3.11, git and make are needed.
PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
# uv does not read pip's find-links; where pip is told of local wheels, so is uv.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: help install repro test check lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

install: $(BIN)/.installed ## make .venv from requirements.lock

$(BIN)/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.9.30
	$(BIN)/uv pip install --quiet -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --editable .
	touch $@

repro: install ## raw logs -> release -> pulled, verified, answering
	@$(BIN)/python -m flows.repro

test: install ## the whole test suite
	$(BIN)/python -m pytest

check: install ## format, lint, types, import rules, docstrings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pydoclint --quiet rejoinder registry stages flows

lock: ## compile requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate \
	  --extra cpu --extra pipeline --extra dev pyproject.toml -o requirements.lock
	sed -i 's/^torch==\([0-9.]*\)+cpu$$/torch==\1/' requirements.lock

clean: ## remove what was built; data, releases and .venv stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
