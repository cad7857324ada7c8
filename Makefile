# `make help` lists what there is. Every target sets up .venv first, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON_ENV := .venv/bin/python
PYTHON ?= python3
# The console script `florenz`, of this checkout wherever .venv came from.
FLORENZ := $(PYTHON_ENV) -m florenz

RECIPE := configs/playground.toml
VARIABLES := LANGS HELDOUT IMAGES COUNT OUT ENDPOINT WORKERS SEED KEEP_BUILDS REPLACE LICENCE STRIP_EXIF BUDGET \
	RUNNER PROJECT REGION FLINK_MASTER FLINK_JAR JOB_ENDPOINT
TRAIN_RECIPE := configs/train.toml
TRAIN_VARIABLES := DATA WEIGHTS FOLLOW OUT SIZE INIT SEED STEPS WORKERS DEVICE
EVALUATE_VARIABLES := MAX_IMAGES BENCHMARK BENCHMARK_DATA BEAMS ENDPOINT
PLAN_TRAIN_VARIABLES := GPUS GPU MFU

# What was typed on make's command line. An environment has an OUT or a LANG that nobody meant.
TYPED := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
# NAME='value' for each variable that was typed, even an empty one, which the pipeline then refuses with a reason.
quote = '$(subst ','\'',$(1))'
given = $(foreach name,$(filter $(1),$(TYPED)),$(name)=$(call quote,$($(name))))
typed_or = $(if $(filter $(1),$(TYPED)),$($(1)),$(2))
GIVEN = $(call given,$(VARIABLES))
GIVEN_TRAIN = $(call given,$(TRAIN_VARIABLES))

# What each target knows beside PYTHON. Anything else that was typed is a slip, and might publish where it was not meant to.
KNOWN_dataset := RECIPE $(VARIABLES)
KNOWN_plan := $(KNOWN_dataset) SAMPLE
KNOWN_retry := $(KNOWN_dataset) REASON
KNOWN_train := TRAIN_RECIPE $(TRAIN_VARIABLES)
KNOWN_plan-train := $(KNOWN_train) $(PLAN_TRAIN_VARIABLES)
KNOWN_evaluate := $(KNOWN_train) $(EVALUATE_VARIABLES)
KNOWN_emergence := DATA OUT REPORT RUNS
KNOWN_law := DATA OUT REPORT
KNOWN_decoder := DATA OUT LANGS WIDTH STEPS SEED DEVICE
KNOWN_verify := OUT
KNOWN_torture := STORE
KNOWN_progress := OUT
KNOWN_report := OUT VERDICTS
KNOWN_preview := OUT KEY
SAMPLE_VARIABLES := N LANGS REASON SERVE
KNOWN_sample := OUT $(SAMPLE_VARIABLES)
EXPORT_VARIABLES := FORMAT TASK LANGS STYLES SPLITS TO
KNOWN_export := OUT $(EXPORT_VARIABLES)
PUBLISH_VARIABLES := REPO UPLOAD PUBLIC
KNOWN_publish := OUT $(PUBLISH_VARIABLES)
KNOWN_remove := OUT KEYS
KNOWN_test-fresh := COMMANDS
KNOWN_fuzz := MINUTES
KNOWN_bench-scale := LARGE
KNOWN_bench-train-gpu := SIZE
KNOWN = PYTHON $(foreach goal,$(MAKECMDGOALS),$(KNOWN_$(goal)))
UNKNOWN = $(filter-out $(KNOWN),$(TYPED))
UNSEEN = $(foreach name,$(KNOWN),$(if $(filter environment,$(firstword $(origin $(name)))),$(name)))

# mypy reads packages from folders, and does not know that the rooms are packages of florenz: links show it.
ROOMS := $(patsubst %/__init__.py,%,$(filter-out florenz/% installation/% benchmarks/%,$(wildcard */__init__.py)))
TYPES = rm -rf build/types && mkdir -p build/types/florenz && ln -s $(CURDIR)/florenz/*.py build/types/florenz/ && \
	ln -s $(ROOMS:%=$(CURDIR)/%) build/types/florenz/ && $(PYTHON_ENV) -m mypy

# Two processes, for two cores and their memory; one that has nothing left to do takes tests from the other.
TESTS := $(PYTHON_ENV) -m pytest -q -n 2 --dist worksteal

.PHONY: help typed env doctor lock dataset plan retry train plan-train evaluate emergence law decoder verify progress report preview sample \
	export publish remove test test-readers test-engines test-fresh check format captioner \
	translator measure bench-start bench-dataset bench-playground bench-shards bench-exports bench-report bench-ledger bench-scale bench-translate bench-caption \
	bench-stream bench-generate bench-train bench-train-gpu bench-loss bench-lengths bench-filters torture bench-hostile bench-damage bench-load fuzz clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18
	@echo 'variables of make dataset: RECIPE $(VARIABLES)'
	@echo 'variables of make train:   TRAIN_RECIPE $(TRAIN_VARIABLES)'

typed:
	@$(if $(UNKNOWN),$(PYTHON) -m installation.typed $(call quote,$(UNKNOWN)) $(call quote,$(KNOWN)))
	@$(foreach name,$(filter-out PYTHON,$(UNSEEN)),echo 'florenz: $(name) of the environment is not looked at: to use it, \
	write make $(MAKECMDGOALS) $(name)=...' >&2;)

env: typed  ## set up .venv (every other target does it by itself)
	@PYTHON=$(call quote,$(PYTHON)) ./setup_venv.sh

doctor: typed  ## what this machine and .venv have, and what to do about each thing that is not right
	@if [ -x $(PYTHON_ENV) ]; then $(FLORENZ) doctor; else $(PYTHON) -m installation.doctor; fi

lock: typed  ## resolve pyproject.toml anew into requirements/
	@$(PYTHON) -m installation.lock

dataset: env  ## images -> captions -> translations -> shards: make dataset LANGS=de,fr,es
	@$(FLORENZ) dataset $(call quote,$(RECIPE)) $(GIVEN)

plan: env  ## what make dataset would ask, how long and at what cost, asking nothing: same variables, SAMPLE=20 measures
	@$(FLORENZ) plan $(call quote,$(RECIPE)) $(GIVEN) $(call given,SAMPLE)

retry: env  ## ask again for what was rejected, all of it or REASON=...; other variables as for make dataset
	@$(FLORENZ) retry $(call quote,$(RECIPE)) $(GIVEN) $(call given,REASON)

train: env  ## train Florenz on the dataset of make dataset, and score it: make train DATA=... OUT=... SIZE=... STEPS=...
	@$(FLORENZ) train $(call quote,$(TRAIN_RECIPE)) $(GIVEN_TRAIN)

plan-train: env  ## memory and hours of a training before it starts: TRAIN_RECIPE=configs/paper_3.5b.toml GPUS=8 GPU=h200
	@$(FLORENZ) plan-train $(call quote,$(TRAIN_RECIPE)) $(GIVEN_TRAIN) $(call given,$(PLAN_TRAIN_VARIABLES))

evaluate: env  ## score what make train has made, with the same variables, and MAX_IMAGES, BENCHMARK, BENCHMARK_DATA, BEAMS, ENDPOINT
	@$(FLORENZ) evaluate $(call quote,$(TRAIN_RECIPE)) $(GIVEN_TRAIN) $(call given,$(EVALUATE_VARIABLES))

emergence: env  ## the default training and its controls, three seeds each, into docs/emergence.md; goes on after a kill
	@$(FLORENZ) emergence configs/emergence.toml $(call given,$(KNOWN_emergence))

law: env  ## trainings of four sizes and four lengths from three starts, and the power law through them, into docs/law.md
	@$(FLORENZ) law configs/law.toml $(call given,$(KNOWN_law))

decoder: env  ## a tiny Gemma-2 that knows the dataset's languages: make decoder LANGS=en WIDTH=128 OUT=...
	@$(FLORENZ) decoder configs/decoder.toml $(call given,$(KNOWN_decoder))

verify: env  ## prove the coverage contract from the bytes of the shards: make verify OUT=data/playground
	@$(FLORENZ) verify $(call quote,$(call typed_or,OUT,data/playground))

progress: typed  ## where the run stands that writes into OUT, from another terminal
	@$(FLORENZ) progress $(call quote,$(call typed_or,OUT,data/playground))

report: env  ## draw OUT/report.html anew; VERDICTS=file adds what a native reader has said
	@$(FLORENZ) report $(call quote,$(call typed_or,OUT,data/playground)) $(call given,VERDICTS)

preview: env  ## one image with all its texts, as a page: make preview KEY=42cb
	@$(FLORENZ) preview $(call quote,$(call typed_or,OUT,data/playground)) $(call given,KEY)

sample: env  ## a page for a native reader to judge texts: make sample N=50 LANGS=fr REASON=...
	@$(FLORENZ) sample $(call quote,$(call typed_or,OUT,data/playground)) $(call given,$(SAMPLE_VARIABLES))

export: env  ## the dataset in another format: make export FORMAT=webdataset TASK=caption LANGS=de (energon, mds, conversation)
	@$(FLORENZ) export $(call quote,$(call typed_or,OUT,data/playground)) $(call given,$(EXPORT_VARIABLES))

publish: env  ## dataset card, Croissant and upload to the Hugging Face Hub: make publish REPO=owner/name (a dry run; UPLOAD=1)
	@$(FLORENZ) publish $(call quote,$(call typed_or,OUT,data/playground)) $(call given,$(PUBLISH_VARIABLES))

remove: env  ## take images out for good: make remove KEYS=file OUT=data/playground, one key a line
	@$(FLORENZ) remove $(call quote,$(call typed_or,OUT,data/playground)) $(call given,KEYS)

test: env  ## the quick tests: no real server, no killed runs, no trainings
	@$(TESTS) -m "not slow"

test-engines: env  ## whole runs on Prism (needs Go) and Flink (needs a JDK and Maven), and more models on vLLM
	@$(PYTHON_ENV) -m pytest -q -m engines

test-readers: env  ## read a dataset with datasets, webdataset, DuckDB, Energon, ..., from .venv-readers (made once)
	@$(PYTHON) -m installation.readers
	@.venv-readers/bin/python -m pytest -q --confcutdir=tests/readers tests/readers

test-fresh: typed  ## the README's commands in a minimal Debian made for it (as root, with debootstrap)
	@tests/fresh_debian.sh $(if $(filter COMMANDS,$(TYPED)),$(call quote,$(COMMANDS)))

check: env  ## format, lint, types, all tests of this repository
	@$(PYTHON_ENV) -m ruff format --check --quiet . || { echo "florenz: run make format" >&2; exit 1; }
	@$(PYTHON_ENV) -m ruff check --quiet .
	@$(TYPES)
	@$(TESTS) -m "not engines"

format: env  ## rewrite the code in the house format
	@$(PYTHON_ENV) -m ruff check --quiet --fix . ; $(PYTHON_ENV) -m ruff format --quiet .

captioner: env  ## train the playground's captioner again, from its seed (about 75 minutes on one core)
	@$(PYTHON_ENV) -m playground.train_captioner

translator: env  ## train the playground's translator again, from its seed (about an hour on one core)
	@$(PYTHON_ENV) -m playground.train_translator

measure: env  ## the scores of the model cards: both tiny models on unseen scenes (about 5 minutes)
	@$(PYTHON_ENV) -m playground.measure

bench-start: env  ## from the command to the first caption, with compiled bytecode against without
	@$(PYTHON_ENV) -m benchmarks.start

bench-dataset: env  ## time and peak memory of the default dataset
	@$(PYTHON_ENV) -m benchmarks.dataset

bench-playground: env  ## how much of the playground's dataset is exactly right
	@$(PYTHON_ENV) -m benchmarks.playground

bench-ledger: env  ## what the ledger costs, and whether cost per image stays the same up to 100,000 images
	@$(PYTHON_ENV) -m benchmarks.ledger

bench-scale: env  ## time, memory and bytes shuffled for an image, 1,000,000 against 10,000 (18 GB; LARGE=100000 for fewer)
	@$(PYTHON_ENV) -m benchmarks.scale $(if $(filter LARGE,$(TYPED)),--large $(call quote,$(LARGE)))

bench-stream: env  ## reading the shards against the plain webdataset pipeline
	@$(PYTHON_ENV) -m benchmarks.stream

bench-generate: env  ## generation with a key-value cache against without
	@$(PYTHON_ENV) -m benchmarks.generate

bench-train: env  ## training from the stream against training from memory
	@$(PYTHON_ENV) -m benchmarks.train

bench-train-gpu: env  ## utilisation, memory, data wait and generation of the paper's sizes on a GPU: SIZE=1.0b,3.5b
	@$(PYTHON_ENV) -m benchmarks.train_gpu $(call given,SIZE)

bench-loss: env  ## peak memory of the loss over 256,000 words, chunked against whole
	@$(PYTHON_ENV) -m benchmarks.loss

bench-lengths: env  ## how long ranks wait for the longest of a step, and how often a window of texts is planned
	@$(PYTHON_ENV) -m benchmarks.lengths

bench-hostile: env  ## all that once got through, as files and servers, each in a run of its own (about ten minutes)
	@$(PYTHON_ENV) -m benchmarks.hostile

bench-damage: env  ## how much damage to JPEGs is found, and how many sound ones are called damaged
	@$(PYTHON_ENV) -m benchmarks.damage

bench-load: env  ## 200,000 items against a server that is slow, refuses, resets and cuts off
	@$(PYTHON_ENV) -m benchmarks.load

fuzz: env  ## fuzz every reader of strangers' bytes; finds become tests: make fuzz MINUTES=10
	@$(PYTHON_ENV) -m benchmarks.fuzz $(call quote,$(call typed_or,MINUTES,10))

torture: env  ## kill real runs at 200 points, run them again and compare every byte (about half an hour); STORE=s3 or gs
	@$(PYTHON_ENV) -m $(if $(filter STORE,$(TYPED)),benchmarks.torture_store --store $(call quote,$(STORE)),benchmarks.torture)

bench-filters: env  ## what the filters keep and catch, with intervals, and how fast (writes docs/filters.md)
	@$(PYTHON_ENV) -m benchmarks.filters

bench-exports: env  ## index, exports and report.html of 1,000 images
	@$(PYTHON_ENV) -m benchmarks.exports

bench-report: env  ## report.html and REPORT.md of a build of a million images (ten minutes, most of them for making it)
	@$(PYTHON_ENV) -m benchmarks.report

bench-translate: env  ## how full the translate step keeps its server, and texts/s against a bare loop of requests
	@$(PYTHON_ENV) -m benchmarks.translate

bench-caption: env  ## whether captioning waits for pictures, and captions/s against a bare batched loop
	@$(PYTHON_ENV) -m benchmarks.caption

bench-shards: env  ## writing shards against webdataset's ShardWriter
	@$(PYTHON_ENV) -m benchmarks.shards

clean:  ## remove the virtual environment; datasets in data/ stay
	rm -rf .venv
