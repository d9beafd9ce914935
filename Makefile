PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SHELL := /bin/bash

.PHONY: setup run test check bench slow learn screenshots migration

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 12) else f"Python 3.11 or 3.12 is needed (carla 0.9.16 has wheels for these), this is {v[0]}.{v[1]}: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	@echo "1 of 3: PyTorch, CPU build, by far the largest"
	@$(BIN)/pip install --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	@echo "2 of 3: the packages of requirements.lock"
	@set -o pipefail; $(BIN)/pip install --disable-pip-version-check -r requirements.lock \
	  | $(BIN)/python .ci/count_packages.py "$$(grep -c '==' requirements.lock)"
	@echo "3 of 3: Pitwall itself"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

run: setup
	$(BIN)/pitwall up

test: setup browser
	$(BIN)/pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_boundaries.py

# Chromium comes from the system: Playwright's own download is not needed.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && apt-get update -qq && apt-get install -y -qq chromium; } \
	  || { echo "Chromium is missing. Install it: sudo apt-get install chromium"; exit 1; }

# What takes minutes and is left out of `make test`.
slow: setup
	$(BIN)/pytest -m slow --timeout 1800

# One script a claim of the README; the last line of each is JSON. MLflow wants packages of its own.
bench: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	test -x .venv-mlflow/bin/mlflow || { $(PYTHON) -m venv .venv-mlflow \
	  && .venv-mlflow/bin/pip install --quiet --disable-pip-version-check mlflow==3.17.2; }
	$(BIN)/python -m benchmarks.learner
	$(BIN)/python -m benchmarks.learning
	$(BIN)/python -m benchmarks.metrics --mlflow-python .venv-mlflow/bin/python
	$(BIN)/python -m benchmarks.http_ingest --mlflow-python .venv-mlflow/bin/python
	$(BIN)/python -m benchmarks.simulator
	$(BIN)/python -m benchmarks.pages --mlflow-python .venv-mlflow/bin/python
	$(BIN)/python -m benchmarks.responsiveness

# Eight runs recorded into one SQLite file while five people look at them; MINUTES=10 for the whole of it.
.PHONY: load
load: setup
	$(BIN)/python -m benchmarks.load --minutes $(or $(MINUTES),0.5)

learn: setup
	$(BIN)/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks.learning_to_drive
	$(BIN)/python -m benchmarks.driving_report

# Pictures of every page for the README and the docs; the README's own from a quickstart trained for minutes.
screenshots: setup browser
	$(BIN)/python -m tests.browser.screenshots
	$(BIN)/python -m tests.browser.quickstart

migration: setup
	$(BIN)/python -c "import migrations; from alembic import command; command.revision(migrations.config('$(URL)'), '$(MESSAGE)', autogenerate=True)"
