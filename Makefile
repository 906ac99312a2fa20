# The one runner: `make` lists the targets, and each sets up what it needs.
# What is checked at a desk is what .ci/run checks.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Seconds for each target of `make fuzz`.
FUZZ_S := 60
# A workspace of its own, which --all and --workspace do not reach.
FUZZ := fuzz/Cargo.toml

CORE := python/skerry/_core.abi3.so
CORE_SOURCES := Cargo.toml Cargo.lock pyproject.toml README.md \
	$(shell find rust -path '*/tests/*' -prune -o -path rust/skerry-testkit -prune -o -type f -print)

# Each name is the file of one stamp: what it stands for was done after its prerequisites last changed.
ENVIRONMENT := $(VENV)/.made
TOOLS := $(VENV)/.tools
INSTALLED := $(VENV)/.installed
# The library may have been removed behind the stamp's back.
$(shell [ -e $(CORE) ] || rm -f $(INSTALLED))

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(ENVIRONMENT):
	@tools/preflight.sh
	"$$(tools/preflight.sh --python)" -m venv $(VENV)
	touch $@

$(TOOLS): $(ENVIRONMENT) pyproject.toml tools/python_requirements.py
	$(PY) -m tools.python_requirements >$(VENV)/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	touch $@

# The dependencies of every extra are there already, from $(TOOLS).
$(INSTALLED): $(TOOLS) $(CORE_SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked
	touch $@

.PHONY: build
build: $(INSTALLED) ## Make .venv with the package in release mode, all extras and the tools.

.PHONY: demo
demo: $(INSTALLED) ## Run a server and three devices, and tell what happens to their writes.
	@$(PY) examples/write_to_synced_realm.py

# --- tests ---------------------------------------------------------------------------------------

.PHONY: test
test: test-rust test-python ## Run every test: cargo, then pytest.

.PHONY: test-rust
test-rust: $(TOOLS)
	cargo test --locked --no-fail-fast

.PHONY: test-python
test-python: $(INSTALLED)
	$(PY) -m pytest

.PHONY: soak
soak: $(INSTALLED) ## Run the long tests with random seeds, which `test` leaves out.
	SKERRY_SIM_SEED=$${SKERRY_SIM_SEED:-$$(date +%s)} SKERRY_SIM_RUNS=$${SKERRY_SIM_RUNS:-20000} \
		cargo test --locked --profile soak -p skerry-testkit --test simulation
	PROPTEST_CASES=$${PROPTEST_CASES:-20000} \
		cargo test --locked --profile soak -p skerry-testkit --test laws --test convergence
	HYPOTHESIS_PROFILE=soak $(PY) -m pytest -m '' tests/unit/core/test_loop_laws.py

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZ_S seconds (60).
	@tools/preflight.sh
	tools/fuzz.sh $(FUZZ_S)

# --- checks, in the order that fails fastest -------------------------------------------------------

CHECKS := check-rustfmt check-ruff check-size check-arrows check-imports check-clippy check-mypy \
	check-stub check-docs

.PHONY: check $(CHECKS)
check: $(CHECKS) ## Run every check: formats, linters, types, imports, sizes.
	@echo 'check: all passed'

check-rustfmt: $(TOOLS)
	cargo fmt --all --check
	$(if $(wildcard $(FUZZ)),cargo fmt --check --manifest-path $(FUZZ))

check-ruff: $(TOOLS)
	$(BIN)/ruff format --check
	$(BIN)/ruff check

check-size: $(TOOLS)
	$(PY) -m tools.size_gate

check-arrows: $(TOOLS)
	$(PY) -m tools.rust_arrows

check-imports: $(TOOLS)
	PYTHONPATH=python $(BIN)/lint-imports

check-clippy: $(TOOLS)
	cargo clippy --workspace --all-targets --locked -- -D warnings

check-mypy: $(INSTALLED)
	$(PY) -m mypy

check-stub: $(INSTALLED)
	$(PY) -m mypy.stubtest --mypy-config-file pyproject.toml skerry._core

check-docs: docs

# Warnings are errors, dead references too; the network is not needed. A page that went away must not
# leave its HTML behind, so every build is whole: it takes seconds.
.PHONY: docs
docs: $(INSTALLED) ## Build the documentation into docs/_build: pages, and a reference from the docstrings.
	$(BIN)/sphinx-build -W --keep-going -n -E -q -b html docs docs/_build

.PHONY: fix
fix: $(TOOLS) ## Mend what the formatters and ruff can mend.
	cargo fmt --all
	$(if $(wildcard $(FUZZ)),cargo fmt --manifest-path $(FUZZ))
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# --- the rest --------------------------------------------------------------------------------------

.PHONY: bench
bench: $(INSTALLED) ## Run the benchmarks, those in Rust and those over sockets.
	cargo bench --locked -p skerry-benches
	$(PY) -m benches.python

.PHONY: wheel
wheel: $(TOOLS) ## Build the abi3 wheel into dist/ and try it in an empty environment.
	rm -f dist/*.whl
	$(BIN)/maturin build --release --locked --out dist
	tools/check_wheel.sh dist/*.whl

.PHONY: clean
clean: ## Remove everything that was built.
	rm -rf $(VENV) $(CORE) target fuzz/target dist docs/_build .demo
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache
