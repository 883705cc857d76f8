# The commands of this project; CI runs the same ones. Each sets up what it needs in .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test test-frameworks torture fuzz check bench docs clean
# Extra words for the program a target runs, as in `make test ARGS=unit`.
ARGS ?=
# Of `make torture`: how many scripts, and the first one's number.
SEEDS ?= 10000
FIRST_SEED ?= 1
# Of `make fuzz`: how many inputs of each kind, and what their choice begins with.
COUNT ?= 10000
SEED ?= 1

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a hub on real data, from the first file to an honest score (about three minutes)
	@scripts/setup demo
	@.venv/bin/python demo/demo.py $(ARGS)

test: ## every test, rung by rung, with a summary; ARGS="unit crash" runs just those
	@scripts/system-packages
	@scripts/setup dev
	@.venv/bin/python scripts/run_tests.py $(ARGS)

test-frameworks: ## the adapters in the frameworks themselves, an environment a group; ARGS="torch" runs just those
	@scripts/system-packages
	@scripts/setup dev
	@.venv/bin/python -m scripts.run_frameworks $(ARGS)

torture: ## a pool in memory through thousands of scripts of faults and crashes; SEEDS=10000 FIRST_SEED=1
	@scripts/setup dev
	@.venv/bin/python -m maruhub.testing.torture $(SEEDS) $(FIRST_SEED) $(ARGS)

fuzz: ## hostile requests to the protocol and to a running server, COUNT=10000 of each kind; SEED=1
	@scripts/setup dev
	@MARU_FUZZ_COUNT=$(COUNT) MARU_FUZZ_SEED=$(SEED) .venv/bin/python -m pytest tests/fuzz -q -n 2 --timeout 0 $(ARGS)

check: ## style, types, layers, and the longest functions and files
	@scripts/setup dev
	@scripts/check

bench: ## measure this machine: the hub beside plain files, fio, other servers and loaders, with tables and plots
	@scripts/system-packages
	@scripts/setup bench
	@scripts/rivals
	@case "$(ARGS)" in ""|--quick|*loaders*|*accelerators*) scripts/peers ;; esac
	@.venv/bin/python benchmarks/run.py $(ARGS)

docs: ## build docs/ into site/; a broken link or anchor fails
	@scripts/setup docs
	@.venv/bin/mkdocs build --strict
	@echo "Built: site/index.html"

clean: ## remove what these commands made, the virtual environment too
	rm -rf .venv .clients .frameworks site build dist demo-hub .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
