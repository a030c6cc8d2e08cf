# Everything a developer runs. Each target sets up what it needs; the second time that takes a moment.
PYTHON ?= python3
BIN := .venv/bin
# Compiled once per clone, and not by each of the hundreds of processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help setup demo test test-unit fuzz lint format bench docs picture lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready node_modules/.ready ## Make .venv (with workmail-flow in its bin folder) and the CDK CLI

.venv/.ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@echo "==> Python environment in .venv (about a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}; name another one with: make PYTHON=python3.12 setup")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	@touch $@

node_modules/.ready: package.json package-lock.json
	@echo "==> CDK CLI in node_modules"
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is needed and npm was not found on PATH: install Node.js, then run make again" >&2; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup ## Deploy the hello-world example locally and send three real messages through it
	@$(BIN)/python examples/hello_world/demo.py

test: setup ## Run every test
	$(BIN)/python -m pytest -n auto --dist loadgroup

test-unit: setup ## Run the tests that need no Node, in seconds
	$(BIN)/python -m pytest tests/unit

MINUTES ?= 10
fuzz: setup ## Feed the fuzz tests new random inputs for MINUTES=10, and print how many
	$(BIN)/python -m tests.fuzz $(MINUTES)

lint: setup ## Ruff (style, docstrings, format), mypy --strict, pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright

format: setup ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure, each number beside its alternative in the same run
	$(BIN)/python -m bench

picture: setup ## Take the picture of the local WorkMail's page that README and docs show; needs Chromium
	WORKMAIL_PICTURE=1 $(BIN)/python -m pytest tests/local/page/test_picture.py

docs: setup ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

lock: setup ## Resolve the development requirements anew
	$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --no-emit-package workmail-constructs \
	  --group dev --all-extras --no-header --quiet pyproject.toml -o requirements/dev.txt
	npm install --package-lock-only

clean: ## Remove everything that setup and the runs made
	rm -rf .venv node_modules cdk.out dist site .workmail-local .pytest_cache .mypy_cache .ruff_cache .hypothesis
