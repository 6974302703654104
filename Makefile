# Everything here sets up its own environment and needs Python 3.11+ and make.
#   make demo    watch an assistant's session on the embedded ERPs
#   make test    the fast tests, and one of each kind that needs a process or a browser, on every core
#   make check   lint, and the fast tests: before each commit
#   make fix     mend what can be mended by a program: style, format, published schemas, generated pages
#   make docs    write docs/tools.md and the table of settings anew
#   make lint    style, types, house rules
#   make cover   every test, slow ones as well, and which branches they took: what CI runs
#   make long    those that want a machine to themselves for minutes
#   make bench   measure, beside references in the same run
#   make evals   the scripted solution of every task in evals/, with the table of their calls (docs/evals.md)
#   make torture  kill, break and mistreat it, on every core, for half an hour; writes docs/torture.md
#   make clients drive real clients of other makers, each in an environment of its own
#   make conformance  the official conformance suite of MCP, against a desk's server and a team's
#   make lock    resolve the pinned environments anew (maintainers; needs a package index)
#   make audit   known vulnerabilities of what is pinned (maintainers; needs a package index)
#   make release TAG=v0.1.0    build and check everything that is published of a tag, into dist

PYTHON ?= python3
RUN := .venv-demo/bin
DEV := .venv/bin
PIP := -m pip --disable-pip-version-check -q

# Bytecode is kept, whatever the environment says: without it, every test process compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test cover long check fix lint schemas docs bench evals clients conformance lock audit release torture clean

demo: .venv-demo/.made
	@$(RUN)/fraction-mcp demo

test: .venv/.made
	$(DEV)/python -m pytest -n auto --dist worksteal -m "not slow and (smoke or not (process or browser))"

cover: .venv/.made
	$(DEV)/python -m pytest -n auto --dist worksteal -m "not long" --durations=15 --cov --cov-report=term

long: .venv/.made
	$(DEV)/python -m pytest -m long --durations=0

check: lint test

fix: .venv/.made
	$(DEV)/ruff check --fix .
	$(DEV)/ruff format .
	$(DEV)/fraction-mcp schemas --write tool_schemas
	$(DEV)/python docs/pages.py

lint: .venv/.made
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(DEV)/fraction-mcp schemas --check tool_schemas

schemas: .venv/.made
	$(DEV)/fraction-mcp schemas --write tool_schemas

docs: .venv/.made
	$(DEV)/python docs/pages.py

bench: .venv/.made
	$(DEV)/python -m benchmarks.run

evals: .venv/.made
	$(DEV)/python -m evals

torture: .venv/.made
	$(DEV)/python -m torture

clients: .venv/.made
	$(DEV)/python -m clients

conformance: .venv/.made
	$(DEV)/python -m clients.conformance

# The pinned environments: hashes are checked, nothing unpinned is built or fetched.
.venv-demo/.made: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv .venv-demo
	$(RUN)/python $(PIP) install --require-hashes -r requirements.lock
	$(RUN)/python $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.made: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 test")'
	$(PYTHON) -m venv .venv
	$(DEV)/python $(PIP) install --require-hashes -r requirements-dev.lock
	$(DEV)/python $(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# uv resolves for every platform and Python version at once; the options keep the index's address out of the files.
LOCK := $(DEV)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -q \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

release: .venv/.made
	$(DEV)/python -m release.build $(or $(TAG),--worktree)

lock: .venv/.made
	$(LOCK) --group build -o requirements.lock
	$(LOCK) --group build --extra postgres -o requirements-team.lock
	$(LOCK) --group build --group dev -o requirements-dev.lock

audit: .venv/.made
	$(DEV)/python -m release.audit

clean:
	rm -rf .venv .venv-demo clients/*/.venv clients/*/node_modules .coverage .mypy_cache .pytest_cache .ruff_cache dist
