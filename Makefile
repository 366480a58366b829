# fly-gha: every target sets up what it needs; a second run starts at once.
.DEFAULT_GOAL := help
.PHONY: help setup demo test live check bench lock docs pins image clean

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=
LOCK   := uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --python-version 3.11 pyproject.toml

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything at locked, hashed versions

$(READY): requirements/dev.txt pyproject.toml tools/setup.sh
	@sh tools/setup.sh "$(PYTHON)" "$(VENV)"

demo: $(READY) ## one job narrated, then 60 with faults, judged by the simulators' logs (ARGS="--seed 7")
	@$(BIN)/fly-gha demo $(ARGS)

# Three workers on two cores: many tests wait for processes of theirs.
test: $(READY) ## every test: SQLite, PostgreSQL, real processes, a real browser
	@$(BIN)/python tests/browser/chromium.py
	@env -u ARGS -u MAKELEVEL -u MAKEFLAGS -u MFLAGS $(BIN)/python -m pytest -n 3 --dist loadgroup $(ARGS)

live: $(READY) ## tests against your own GitHub, Fly and Infisical (tests/live/README.md; ARGS=--live-canary)
	@$(BIN)/python -m pytest tests/live --live -n 0 -v $(ARGS)

check: $(READY) ## ruff, mypy --strict, import contracts, generated docs
	@echo "check: ruff, mypy --strict, import contracts, generated docs"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/generate_docs.py --check

bench: $(READY) ## measure decisions and the added latency on this machine
	@$(BIN)/python -m pytest tests/benchmarks -o python_files='bench_*.py' -p no:xdist -q -s $(ARGS)

docs: $(READY) ## write the generated parts of README.md and docs/ anew
	@$(BIN)/python tools/generate_docs.py

lock: ## resolve the dependencies anew (needs uv)
	$(LOCK) --extra dispatcher -o requirements/run.txt
	$(LOCK) --extra publisher -c requirements/run.txt -o requirements/publisher.txt
	$(LOCK) --extra status -o requirements/status.txt
	$(LOCK) --extra dispatcher --extra status --group dev -o requirements/dev.txt

pins: $(READY) ## read the runner image's pins from their publishers (needs internet and Docker)
	@$(BIN)/python tools/read_pins.py

image: $(READY) ## build the runner image from its pins (ARGS="--app APP" pushes it, with --remote Fly builds it)
	@$(BIN)/python tools/build_image.py $(ARGS)

clean: ## remove the virtual environment and what tools cached
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache out
