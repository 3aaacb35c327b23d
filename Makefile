# `make demo` and `make test` do all the set-up on a fresh machine with Python 3.11 or newer.
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
RUNS   ?= runs
PEERS  := build/peers

.PHONY: demo test test-slow bench bench-peers lint clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@# It asks for opencv-python, which would overwrite opencv-python-headless.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps rapidocr-onnxruntime
	touch $@

demo: $(READY)
	$(BIN)/screentest run --suite reference --generator reference:early --out $(RUNS)/early
	$(BIN)/screentest run --suite reference --generator reference:base --out $(RUNS)/base
	$(BIN)/screentest compare $(RUNS)/early $(RUNS)/base
	@# INCONCLUSIVE (3) is an answer too: on 30 prompts one rule cannot be decided. FAIL or an error ends the demo.
	$(BIN)/screentest gate $(RUNS)/base --policy release --baseline $(RUNS)/early || test $$? -eq 3
	$(BIN)/screentest report $(RUNS)/early $(RUNS)/base --out $(RUNS)/demo.html

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	@# It reads files, and in an editable installation the folders do not lie below their package.
	rm -rf build/tree && mkdir -p build/tree/screentest
	ln -s $(addprefix $(CURDIR)/,generators harness metrics reports safety $(wildcard harness/screentest/*)) build/tree/screentest
	PYTHONPATH=build/tree $(BIN)/lint-imports --no-logo

test: lint
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

bench: $(READY)
	$(BIN)/python tests/benchmarks/bench.py
	$(BIN)/python tests/benchmarks/dit.py
	$(BIN)/python tests/benchmarks/distribution.py
	$(BIN)/python tests/benchmarks/intervals.py

bench-peers: $(PEERS)/.installed
	$(PEERS)/bin/python tests/benchmarks/peers.py --wide

# What others would run instead is installed only here. vbench and fastvideo ask for other releases of PyTorch, NumPy
# and transformers, and for kernels of a GPU: what is measured of them needs none of these.
$(PEERS)/.installed: pyproject.toml constraints.txt Makefile
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[diffusers]' \
	  torch==2.13.0 torchvision==0.28.0 torch-fidelity==0.4.0 cd-fvd==0.1.1 prdc==0.2 scikit-learn decord==0.6.0
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps vbench==0.1.5 fastvideo==0.2.1
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
