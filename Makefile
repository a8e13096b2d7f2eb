# make demo | test | lint | lab | bench | chaos     what each does stands in README.md and docs/start.md
BIN := .venv/bin
PORT ?= 8080
PBX ?= simulated

# some container images forbid it: then each start compiles everything anew, for seconds
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo ring miss test lint lab bench chaos lock docs screenshots
setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cti needs Python 3.11 or newer; found $$(python3 --version 2>&1)"; exit 1; }
	@python3 -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu install the package python3-venv"; exit 1; }
	@echo "making .venv with the packages of requirements.lock: once, about half a minute"
	@$(BIN)/pip install --quiet "uv==0.13.*" \
	&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock \
	|| { echo "uv could not; pip does the same, and takes longer"; \
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock; }
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --all-extras --group dev pyproject.toml --output-file requirements.lock

# a house to look at, on SQLite with made-up people; PBX=asterisk rings the lab's real one
DEMO_asterisk := --config data/lab/cti.toml --ring-command "$(BIN)/python -m tests.pbx.lab call"
demo: setup
	@$(BIN)/cti demo --port $(PORT) $(DEMO_$(PBX))

# let a customer of the running demo ring at once; NUMBER says who, or `anonymous`
ring: setup
	@$(BIN)/cti demo ring $(NUMBER)

# the same, and nobody answers: a missed call
miss: setup
	@$(BIN)/cti demo miss $(NUMBER)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# everything that this machine can run; the summary says what was left out and why
test: setup lint
	$(BIN)/pytest --numprocesses 3 --no-loadscope-reorder

# a real Asterisk (Debian, root, once; about two minutes), then two of them running: a PBX and the world
lab: setup
	@$(BIN)/python -m tests.pbx.lab start

bench: setup
	@$(BIN)/python -m tests.bench

# kill the daemon 1,000 times while it dials a real Asterisk; KILLS says how often (hours)
KILLS ?= 1000
chaos: setup
	@$(BIN)/python -m tests.pbx.lab chaos --kills $(KILLS)

# the pages that are made from the code: settings, commands
docs: setup
	@$(BIN)/python -m tests.docs

# the pictures of the README, by Chromium at a running demo
screenshots: setup
	@$(BIN)/python -m tests.browser.screenshots
