# Four Rounds: one command each. It needs python3 (3.11 or newer), make and git, and works with GNU make 3.81 (macOS) on.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
EXTRAS := grading,scale,dev,bank
# What only the tests need: other implementations, which confirm PyTorch's truth (tests/truths/).
TEST_EXTRAS := $(EXTRAS),oracles
ORACLES := $(VENV)/.oracles

.DEFAULT_GOAL := help
.PHONY: help study test env check test-notebooks test-code build constraints

help:
	@echo 'Four Rounds'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-21s%s\n", $$1, $$2 }'
	@echo
	@echo '  PYTHON=python3.12    the Python that makes the environment (3.11 or newer)'
	@echo '  PORT=9000            the port of make study (without it: the first free one from 8888 upwards)'
	@echo '  NO_BROWSER=1         make study opens no browser'

study: env ## make the environment, build what is missing, open JupyterLab at the start page
	@$(BIN)/python -m fourrounds build
	@$(BIN)/python -m fourrounds study

# The tests come last, so that the list of what was skipped ends the output.
test: env ## run every test that this machine can run, and list what was skipped
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory test-notebooks
	@$(MAKE) --no-print-directory test-code

env: $(STAMP) ## make or update .venv
	@:

check: env ## ruff, ruff format, mypy
	$(call stage,lint and types,$(BIN)/python -m ruff check . \
		&& $(BIN)/python -m ruff format --check . && $(BIN)/python -m mypy)

test-notebooks: env
	$(call stage,notebooks,$(BIN)/python -m pytest --nbval -q notebooks solutions)

test-code: $(ORACLES)
	$(call stage,tests,$(BIN)/python -m pytest -n auto --dist loadfile tests)

build: env ## make release/ and solutions/ from source/
	@$(BIN)/python -m fourrounds build

# Run a stage, and say how long it took.
define stage
@start=$$(date +%s); echo "== $(1)"; $(2) || exit $$?; echo "== $(1): $$(($$(date +%s) - start)) s"
endef

# Install the extras $(1); the stamp $(2) is made when all of them are there.
define install
{ $(BIN)/python -m pip install --progress-bar off -e '.[$(1)]' -c constraints.txt 2>&1 \
		&& echo "$(CURDIR)" > $(2); } | tee $(VENV)/install.log \
	| sed -n -e 's/^ *Downloading \(.* [MG]B)\).*/  downloading \1/p' -e 's/^Installing collected packages.*/  unpacking/p'; \
test -e $(2) || { tail -n 20 $(VENV)/install.log; \
	echo "pip could not install everything; all that it said is in $(VENV)/install.log" >&2; exit 1; }
endef

# An environment does not survive being moved, nor the loss of its Python: then the stamp counts as absent.
ifneq ($(shell test -x $(BIN)/python && cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no $(PYTHON) here. Four Rounds needs Python 3.11 or newer. If one is installed under"; \
		echo "another name, say which: make env PYTHON=python3.12"; exit 1; } >&2
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Four Rounds needs Python 3.11 or newer, and " \
		"$(PYTHON) is Python %d.%d.%d.\nIf a newer one is installed, say which: make env PYTHON=python3.12" \
		% sys.version_info[:3])'
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1 || { test -e $(STAMP) && ! grep -qxF "$(CURDIR)" $(STAMP); }; then \
		echo "Making $(VENV) with $$("$(PYTHON)" --version)"; \
		"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); \
			echo "$(PYTHON) could not make a virtual environment. On Debian or Ubuntu: apt install python3-venv" >&2; \
			exit 1; }; \
	fi
	@echo "Installing Four Rounds and what it needs: a minute, or longer where PyTorch has to be downloaded"
	@rm -f $(STAMP) $(ORACLES)
	@$(call install,$(EXTRAS),$(STAMP))
	@echo "$(VENV) is ready."

$(ORACLES): $(STAMP)
	@echo "Installing the implementations that the tests compare with"
	@$(call install,$(TEST_EXTRAS),$(ORACLES))

constraints: ## renew constraints.txt: the newest versions that pyproject.toml allows
	@new=$$(mktemp -d) && trap 'rm -rf "$$new"' EXIT && "$(PYTHON)" -m venv "$$new" \
		&& "$$new/bin/python" -m pip install -q -e '.[$(TEST_EXTRAS)]' \
		&& { grep '^#' constraints.txt; \
			"$$new/bin/python" -m pip list --format=freeze --exclude-editable --exclude pip \
			| sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > "$$new/pins" \
		&& cp "$$new/pins" constraints.txt && git diff --stat constraints.txt
