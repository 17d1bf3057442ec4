# Each target works on a fresh clone with Python >= 3.10, pip and make; `.venv` is made on the way.
PYTHON ?= python3
BIN := .venv/bin
# before a line of Python that works on the book: its messages are seen, TensorFlow's at its start are not
ALOUD := import logging; logging.basicConfig(format='%(message)s'); logging.getLogger('tsformer_nb').setLevel('INFO'); \
         from tsformer_nb.cli import start_keras; start_keras()

# tests that share a trained run or a site stay together, and a large group comes first: nothing long is left for the end
TESTS = $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

.PHONY: train test quick lint torture docs preview lab bench archive search notebooks clean

train: .venv/.package            ## fetch FordA, train a Transformer on it, print its test accuracy
	$(BIN)/tsformer-nb train --overwrite

test: .venv/.book                ## every notebook as a test, and what a cell cannot test
	$(TESTS)

quick: .venv/.book               ## the tests that answer in under a minute together, for the hand
	$(TESTS) -m "not slow"

lint: .venv/.book                ## house rules: style and likely bugs in notebooks and tests, types in the package
	$(BIN)/ruff check nbs tests
	$(BIN)/mypy

torture: .venv/.book             ## the long halves (hours): kills, fuzzers for ten minutes, 51 sets, notebooks in kernels, other surroundings
	TSFORMER_KILLS=30 TSFORMER_FUZZ_SECONDS=600 TSFORMER_LONG_LINE=1000000000 $(TESTS)

docs: .venv/.book                ## the site, in both languages, in _docs/
	$(BIN)/python -c "$(ALOUD); from tsformer_nb.press.site import build_sites; build_sites()"

preview: docs                    ## the site at http://127.0.0.1:8000, seen from this machine only
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _docs

lab: .venv/.book                 ## the book in JupyterLab
	$(BIN)/jupyter lab nbs

bench: .venv/.bench              ## measure ours and the peers anew (four hours), then the pages that show the figures
	rm -f $(addprefix nbs/results/, results.csv ladder.csv resamples.csv ablation.csv race.csv times.csv)
	$(BIN)/python -c "from tsformer_nb.lab.bench import bench, ladder, resamples; bench(); ladder(); resamples()"
	$(BIN)/python -c "from tsformer_nb.lab.ablation import ablate; ablate()"
	$(BIN)/python -c "from tsformer_nb.lab.other_datasets import clock, race; clock(); race()"
	$(MAKE) notebooks

archive: .venv/.bench            ## 51 data sets, three seeds, beside MiniRocket (three hours); begun anew, it goes on in runs/archive.csv
	mkdir -p runs
	$(BIN)/python -c "$(ALOUD); from tsformer_nb.lab.ucr_benchmark import run_benchmark, summarised; \
	                  print(summarised(run_benchmark('runs/archive.csv')))"

search: .venv/.bench             ## search anew for a better TSFormer (an hour); begun anew, it goes on in runs/search
	$(BIN)/python -c "from tsformer_nb.lab.search import search; search(60)"

notebooks: .venv/.book           ## after an edit: export, run every notebook, save its outputs, clean, write the README
	$(BIN)/nbdev_export
	$(BIN)/python -c "$(ALOUD); from tsformer_nb.press.execution import run_all; run_all()"
	$(BIN)/nbdev_clean
	$(BIN)/python -c "$(ALOUD); from tsformer_nb.press.pages import write_readmes; write_readmes()"

clean:
	rm -rf .venv _docs _proc build dist *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.package: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

.venv/.book: .venv/.package
	$(BIN)/pip install -q -c constraints.txt -e '.[book,test,lint]'
	touch $@

.venv/.bench: .venv/.book
	$(BIN)/pip install -q -c constraints.txt -e '.[book,test,lint,bench]'
	touch $@

.PHONY: help
help:                            ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1 /' | awk '{name = $$1; $$1 = ""; printf "make %-10s%s\n", name, $$0}'
