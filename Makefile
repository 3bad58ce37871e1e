# Every target sets up what it needs in .venv, once. Choose another Python with: make demo PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with=tests/sanitize.cfg --nbval-cell-timeout=600
LESSONS := $(sort $(wildcard notebooks/*.ipynb))

.PHONY: help demo test lint course notebooks lab hooks clean
help:
	@echo "make demo       teach a small model a style and show before and after"
	@echo "make test       style, types, unit tests and lesson 00"
	@echo "make lab        open JupyterLab on the course"
	@echo "make course     run every lesson and hold it to its outputs"
	@echo "make notebooks  run every lesson and keep the new outputs"
	@echo "make hooks      check each commit, and see notebooks cell by cell in git"
	@echo "make clean      remove .venv and the caches; runs/ stays"

demo: .venv/.core
	$(BIN)/lessons demo

test: lint
	$(BIN)/python -m pytest $(NBVAL) tests notebooks/00_start_here.ipynb

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

course: .venv/.test
	$(BIN)/python -m pytest $(NBVAL) $(LESSONS)

notebooks: .venv/.test .venv/.lab
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.store_widget_state=False \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=600 $(LESSONS)
	$(BIN)/nbstripout --keep-output --keep-count $(LESSONS)

lab: .venv/.lab
	$(BIN)/jupyter lab --notebook-dir=notebooks notebooks/00_start_here.ipynb

hooks: .venv/.test .venv/.dev
	$(BIN)/pre-commit install
	$(BIN)/nbdime config-git --enable

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .mypy_cache

# A stamp tells that an extra is installed; touching pyproject.toml or constraints.txt installs again.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"found Python %d.%d; the course needs 3.11, 3.12 or 3.13. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

.venv/.core: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	@touch $@

.venv/.test .venv/.lab .venv/.dev: .venv/.%: .venv/.core
	$(PIP) -e '.[$*]'
	@touch $@
