# Everything runs from .venv, which `make setup` makes. Reading order: README.md, docs/dependencies.md.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Scripts in .venv hold absolute paths: a checkout that was moved needs its .venv anew.
moved := $(shell [ "$$(cat .venv/ready 2>/dev/null)" = "$(CURDIR)" ] || rm -f .venv/ready)
SCRIPT ?= ceremony-scripts/first-ceremony.toml
# Those that make a root or use it.
ROOT_SCRIPTS := $(filter-out check-token reshare recover-quorum %.answers,$(basename $(notdir $(wildcard ceremony-scripts/*.toml))))
SCHEMA := ceremony-scripts/ceremony-script.schema.json

help:
	@echo "make demo        watch a whole ceremony on a throw-away SoftHSM token"
	@echo "make rehearse    rehearse a script: make rehearse SCRIPT=ceremony-scripts/first-ceremony.toml"
	@echo "make test        all tests"
	@echo "make crash-matrix  each shipped script cut at every durable change, each cut followed to the end; MINUTES=n for a sample"
	@echo "make crash-matrix DISTURB=1  disk, medium, token, acts and clock going wrong at every point of three scripts; MINUTES=n for a sample"
	@echo "make fuzz        coverage-guided fuzzing of all that reads others' files; MINUTES=n, 10 unless said"
	@echo "make secrets     made-up PINs, passphrases and shares through every command, looked for everywhere afterwards"
	@echo "make blind       each check of verify made blind, each rule switched off: the tests named for it must go red"
	@echo "make mutation    small changes to the code, a test must go red for each; MINUTES=n, 10 unless said"
	@echo "make interop     the contract and a whole first ceremony on other software tokens, measured into docs/tokens.md"
	@echo "make bench       measure speed against what is there without us, into docs/performance.md (a quarter of an hour)"
	@echo "make lint        ruff, mypy, import contracts, generated files"
	@echo "make setup       only make .venv"
	@echo "make dist        wheel and sdist, built twice and compared"
	@echo "make wheelhouse  the folder that goes to the air-gapped machine"
	@echo "make airgap      install it without a network, and rehearse there"
	@echo "make goldens     write the screens' goldens anew (then read the diff)"
	@echo "make schema      write the JSON Schema of ceremony scripts anew"
	@echo "make docs        write docs/errors.md, docs/compliance.md, docs/shell/ and the pictures anew"
	@echo "make image       the ceremony machine: a live image out of locked inputs (as root, needs mmdebstrap)"
	@echo "make image-lock  lock today's inputs of the image; read the diff"
	@echo "make image-inputs  pack the inputs into one file; FROM=FILE.tar takes them out of one"
	@echo "make image-verify  build the image twice, elsewhere and otherwise, and compare"
	@echo "make image-test  boot the built image in qemu by BIOS and UEFI, rehearse on it, verify the bundle here"
	@echo "make pins        pin the packages of pyproject.toml anew (needs uv)"

setup: .venv/ready

demo: .venv/ready
	ceremony demo

rehearse: .venv/ready
	ceremony rehearse $(SCRIPT)

test: .venv/ready
	python -m pytest -n 3

ifdef DISTURB
crash-matrix: .venv/ready
	python -m tests.crash_matrix.disturbed --write $(if $(MINUTES),--minutes $(MINUTES))
else
crash-matrix: .venv/ready
	python -m tests.crash_matrix --write $(if $(MINUTES),--minutes $(MINUTES))
	python -m tests.crash_matrix --softhsm --write $(if $(MINUTES),--minutes $(MINUTES)) $(ROOT_SCRIPTS)
	$(if $(MINUTES),,CEREMONY_ALL_CRASHES=1) python -m pytest -n 2 tests/engine/test_crashes.py tests/room/test_crashes_on_softhsm.py \
	    tests/hsm/test_every_return_value.py
endif

# The fuzzer is built for Linux alone, and nothing else needs it: a folder of its own.
fuzz: .venv/ready
	test -d .venv/fuzz || python -m pip install --quiet --target .venv/fuzz --require-hashes --only-binary :all: -r requirements/fuzz.txt
	PYTHONPATH=.venv/fuzz python -m tests.fuzz --minutes $(or $(MINUTES),10) $(TARGETS)

# The suite tries a part of it.
secrets: .venv/ready
	CEREMONY_ALL_SECRETS=1 python -m pytest -n 2 tests/sentinels

blind: .venv/ready
	python -m tests.blind_checks
	python -m tests.blind_rules

# SEED draws the mutants, ONLY is how their files' paths begin, TESTS are the folders of tests that may kill them.
mutation: .venv/ready
	python -m tests.mutation $(or $(MINUTES),10) $(or $(SEED),1) $(or $(ONLY),ceremony) $(TESTS)

# In namespaces of its own: opencryptoki has places in the system that are fixed in its code.
interop: .venv/ready
	sh requirements/interop.sh
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	unshare --user --map-root-user --mount --ipc --pid --fork --kill-child --mount-proc \
	    sh tests/hsm/namespace.sh "$(CURDIR)/.venv/debs" "$$folder" sh tests/interop/run.sh

bench: .venv/ready
	sh requirements/bench.sh
	python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS))

lint: .venv/ready
	ruff check .
	mypy
	lint-imports --no-logo
	python -m ceremony.schema | diff $(SCHEMA) -
	python docs/make_shell.py --compare

goldens: .venv/ready
	WRITE_GOLDENS=1 python -m pytest tests/faces tests/e2e/test_in_a_terminal.py

schema: .venv/ready
	python -m ceremony.schema > $(SCHEMA)

docs: .venv/ready
	python docs/make_errors.py > docs/errors.md
	python docs/make_compliance.py > docs/compliance.md
	python docs/make_shell.py
	python docs/make_pictures.py

dist: .venv/ready
	sh requirements/dist.sh

wheelhouse: .venv/ready
	sh requirements/wheelhouse.sh

airgap: .venv/ready
	sh requirements/airgap.sh

image: .venv/ready
	sh image/build.sh

image-lock: .venv/ready
	sh image/lock.sh

image-inputs: .venv/ready
	sh image/inputs.sh $(FROM)

image-verify: .venv/ready
	sh image/verify.sh

image-test: .venv/ready
	python -m image.boot_test $(PARTS)

pins:
	sh requirements/pins.sh

.venv/ready: requirements/install.sh requirements/debs.sh requirements/dev.txt pyproject.toml
	sh requirements/install.sh
	echo "$(CURDIR)" > $@

.PHONY: help setup demo rehearse test crash-matrix fuzz secrets blind mutation interop bench lint goldens schema docs dist wheelhouse airgap \
    image image-lock image-inputs image-verify image-test pins
