# Each target works on a fresh clone with Python >= 3.10, pip and make; `.venv` is made on the way.
PYTHON ?= python3
BIN := .venv/bin
# before a line of Python that works on the book: its messages are seen, TensorFlow's at its start are not
ALOUD := import logging; logging.basicConfig(format='%(message)s'); logging.getLogger('tsformer_nb').setLevel('INFO'); \
         from tsformer_nb.cli import start_keras; start_keras

.PHONY: train test lint torture docs preview lab bench archive search notebooks clean

train: .venv/.package            ## fetch FordA, train a Transformer on it, print its test accuracy
	$(BIN)/tsformer-nb train --overwrite

test: .venv/.book                ## every notebook as a test, and what a cell cannot test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder

lint: .venv/.book                ## house rules: style and likely bugs in notebooks and tests, types in the package
	$(BIN)/ruff check nbs tests
	$(BIN)/mypy

torture: .venv/.book             ## the long halves (two hours and more): kills, fuzzers for ten minutes, all 51 sets, a line of 1 GB, each notebook twice
	TSFORMER_KILLS=30 TSFORMER_FUZZ_SECONDS=600 TSFORMER_LONG_LINE=1000000000 \
	$(BIN)/python -m pytest tests/test_reader.py tests/test_formats.py tests/test_tables.py tests/test_own_data.py tests/test_sources.py tests/test_faults.py tests/test_saving.py tests/test_site.py tests/test_notebooks.py tests/test_wheel.py

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

search: .venv/.bench             ## go on with the search for a better TSFormer
	$(BIN)/python -c "from tsformer_nb.lab.search import search; search(20)"

notebooks: .venv/.book           ## after an edit: export, run every notebook, save its outputs, clean, write the README
	$(BIN)/nbdev_export
	$(BIN)/python -c "$(ALOUD); from tsformer_nb.press.execution import run_all; run_all()"
	$(BIN)/nbdev_clean
	$(BIN)/python -c "$(ALOUD); from tsformer_nb.press.pages import write_readme; write_readme()"

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
