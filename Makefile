# The commands of this repository. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-close demo-train test fast prove bench map lock clean

PYTHON_IN := .venv/bin/python
# `yes` installs torch as well and runs the tests that train.
EISBACH_TEST_TRAIN ?= no
# What `make bench` runs; the other programs of benchmarks/ are parts of these, or want a file.
BENCHMARKS := cli_start idle api_overhead submissions true_jobs engine_starts store_commit uploads decisions reclaim packing quotes week whole peers
TEST_EXTRAS := test industry $(if $(filter yes,$(EISBACH_TEST_TRAIN)),train)

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## install into .venv and play the story of a plant operator; leaves its portal open (CLOSE=yes: closes it)
	@scripts/setup-venv industry
	@$(PYTHON_IN) scripts/demo.py $(if $(filter yes,$(CLOSE)),--close)

demo-close: ## close the portal that `make demo` left open
	@$(PYTHON_IN) scripts/demo.py --close-only

demo-train: ## the story of a language model: two workers, a kill, the rest of the training (TRAIN=no: without torch)
	@scripts/setup-venv $(if $(filter no,$(TRAIN)),,train)
	@$(PYTHON_IN) scripts/demo_train.py $(if $(filter no,$(TRAIN)),--no-train)

test: ## linters, type checker, import contracts and all tests (EISBACH_TEST_TRAIN=yes: also those that train)
	@scripts/setup-venv $(TEST_EXTRAS)
	@scripts/test

fast: ## compile the hot modules for `eisbach twin` into build/compiled; needs a C compiler, takes minutes
	@scripts/setup-venv fast
	@$(PYTHON_IN) scripts/compile.py

prove: ## the long runs: whole weeks in the twin, crashes at every step
	@scripts/setup-venv $(TEST_EXTRAS)
	@$(PYTHON_IN) -m pytest -m prove --timeout=3600 --durations=10 -rs || { [ $$? -eq 5 ] && echo "There are no long runs yet."; }

bench: ## the figures of benchmarks/, a line each; takes long
	@scripts/setup-venv test
	@for name in $(BENCHMARKS); do $(PYTHON_IN) -m benchmarks.$$name; done

map: ## rewrite the map of modules in docs/ARCHITECTURE.md
	@python3 scripts/write_map.py

lock: ## resolve all dependencies anew into requirements.lock
	@scripts/lock

clean: ## remove .venv and everything that was built
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
