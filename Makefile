# make demo | test | lint | lab | bench     what each does stands in README.md
BIN := .venv/bin
PORT ?= 8080
PBX ?= simulated
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: setup demo test lint lab bench lock screenshots
setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cti needs Python 3.11 or newer; found $$(python3 --version 2>&1)"; exit 1; }
	@python3 -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu install the package python3-venv"; exit 1; }
	$(BIN)/pip install --quiet "uv==0.13.*" \
	&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock \
	|| $(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --all-extras --group dev pyproject.toml --output-file requirements.lock
