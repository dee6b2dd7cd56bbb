# make setup | demo | test | serve. Everything lives in .venv here and in CONTEXTSVC_HOME.

PYTHON ?= python3
BIN := .venv/bin
QUERY ?= What happens to a return statement in try when finally also returns?

.PHONY: help setup demo test serve lint lower-bounds docs bench bench-smoke peers clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install, index the Python language reference, print one measured pack"
	@echo "make test    lint, types, layer rules and tests, as CI runs them"
	@echo "make serve   the HTTP service on 127.0.0.1:8000 over indexes/"
	@echo "make setup   .venv, pinned install, assets: what the others share"
	@echo "make docs    the documentation as a site in site/, after writing its generated parts"
	@echo "make bench   the benchmarks that docs/figures.md quotes (needs the data sets)"
	@echo "make bench-smoke   each of them on a few items, nothing kept (skips where a data set is absent)"
	@echo "make lower-bounds   tests without models on the lowest versions that pyproject.toml allows"
	@echo "make peers   .venv-peers, the pipelines that benchmarks compare with"

# The stamp is newer than what it was made from, so a second run installs nothing.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "installing into .venv (a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[html,gguf,report,endpoint,dev,docs,serving]'
	@touch $@

# Apart from .venv: peers pin libraries of ours to other versions.
.venv-peers/installed: benchmarks/peers/requirements.txt benchmarks/peers/constraints.txt
	@echo "installing the peers into .venv-peers (some minutes)"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/pip install --quiet --disable-pip-version-check -c benchmarks/peers/constraints.txt -r benchmarks/peers/requirements.txt
	@touch $@

peers: .venv-peers/installed

setup: .venv/installed
	@$(BIN)/contextsvc assets pull

demo: setup
	@test -f indexes/python-reference/CURRENT || $(BIN)/contextsvc index build python-reference --index python-reference
	@$(BIN)/contextsvc pack "$(QUERY)" --index python-reference --budget 800 --measure

serve: setup
	@$(BIN)/contextsvc serve

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The variable turns off an announcement of the theme about its successor.
docs: .venv/installed
	$(BIN)/python -m tools.settings_table
	$(BIN)/python -m tools.layers
	$(BIN)/python -m benchmarks.report
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "to read it: $(BIN)/python -m http.server --directory site"

# Two workers with one torch thread each: most tests use one core only.
test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

# Apart from .venv. Not part of CI, because the install takes minutes: tests/test_dependencies.py compares
# lower-bounds.txt with pyproject.toml there.
lower-bounds: setup
	@$(PYTHON) -m venv .venv-lower
	@.venv-lower/bin/pip install --quiet --disable-pip-version-check -r lower-bounds.txt
	@.venv-lower/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	OMP_NUM_THREADS=1 .venv-lower/bin/python -m pytest -n 2 --dist loadfile -m "not model and not data"

bench-smoke: setup
	$(BIN)/python -m benchmarks.smoke

bench: setup peers
	$(BIN)/python -m benchmarks.build
	$(BIN)/python -m benchmarks.crashes
	$(BIN)/python -m benchmarks.updates
	$(BIN)/python -m benchmarks.budget
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.chunking
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.packs
	$(BIN)/python -m benchmarks.answerable --part tune
	$(BIN)/python -m benchmarks.answerable
	$(BIN)/python -m benchmarks.ablation
	$(BIN)/python -m benchmarks.report

clean:
	rm -rf .venv .venv-lower .venv-peers build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
