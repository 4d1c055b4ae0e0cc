# Everything a developer does, with nothing on the machine but make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
# Tests start hundreds of processes: whoever forbids bytecode has each of them compile everything.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
# Given on the command line: make run ARGS="--log-level info", make test ARGS="-k journal"
ARGS :=

.DEFAULT_GOAL := help
.PHONY: help setup run test test-clustered check format bench docs reference chaos clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Make or update .venv: pinned dependencies, developer tools, the package itself
	@sh tools/setup.sh dev

run: ## Start all six services in the foreground (Ctrl-C ends them)
	@sh tools/setup.sh run
	@exec $(BIN)/app $(ARGS)

test: setup ## Run all tests
	@sh tools/test.sh $(ARGS)

test-clustered: setup ## Run the tests of servers and of the contract on PostgreSQL and RabbitMQ, which must be there
	@AGPT_TEST_STORE=cluster AGPT_REQUIRE_SERVICES=1 \
		$(PYTEST) -n 2 --dist loadfile -m "not chaos" tests/e2e tests/docs tests/contract $(ARGS)

check: setup ## Format, lint, types, floors, fast tests of units and house; about a minute
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(PYTEST) -q -n 2 --dist loadfile -m "not slow and not e2e and not chaos" tests/house tests/unit $(ARGS)

format: setup ## Format the code and mend what can be mended without thinking
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: setup ## Measure the workloads; prints JSON
	@$(BIN)/python -m bench $(ARGS)

docs: setup ## Check the documents: links, code, and every command of the README
	@$(PYTEST) tests/docs $(ARGS)

reference: setup ## Write the generated pages of docs/reference anew
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.blocks_reference
	@$(BIN)/python -m tools.cli_reference

chaos: setup ## Long storms of kills and faults
	@$(PYTEST) -m chaos $(ARGS)

clean: ## Remove .venv and all caches; data and logs of the server stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	@find backend tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
