PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.runs
STAMP := $(VENV)/.installed
NODE_STAMP := node_modules/.installed
PYTEST := $(BIN)/pytest -q
CHECKED := fediverse tests benchmarks tools

.PHONY: install run test lint format demo bench soak clean

install: $(STAMP) $(NODE_STAMP)

# What the server itself needs.
$(RUN_STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable .
	@touch $(RUN_STAMP)

# What tests, linters and benchmarks need besides.
$(STAMP): $(RUN_STAMP)
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --group dev
	@touch $(STAMP)

# The peers that tests talk to: an independent ActivityPub server, where Node is on the machine.
$(NODE_STAMP): package.json package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && touch $(NODE_STAMP); fi

run: $(RUN_STAMP)
	@$(BIN)/fediverse serve

test: $(STAMP) $(NODE_STAMP)
	@$(PYTEST) -n 2 --dist loadgroup tests

lint: $(STAMP)
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)
	@$(BIN)/ruff check --fix $(CHECKED)
	@$(BIN)/ruff format $(CHECKED)

demo: $(RUN_STAMP)
	@$(BIN)/python -m tools.demo

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

soak: $(STAMP)
	@$(PYTEST) -m soak tests

clean:
	@rm -rf $(VENV) node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
