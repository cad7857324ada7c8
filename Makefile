# `make help` lists what there is. Every target sets up .venv first, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON_ENV := .venv/bin/python

RECIPE ?= configs/playground.toml
OUT_OF_VERIFY = $(if $(OUT),$(OUT),data/playground)
VARIABLES := LANGS HELDOUT IMAGES COUNT OUT ENDPOINT WORKERS SEED KEEP_BUILDS
# NAME='value' for each variable that was given, even an empty one, which the pipeline then refuses with a reason.
quote = '$(subst ','\'',$(1))'
given = $(foreach name,$(1),$(if $(filter-out undefined,$(origin $(name))),$(name)=$(call quote,$($(name)))))
GIVEN = $(call given,$(VARIABLES))

TRAIN_RECIPE ?= configs/train.toml
TRAIN_VARIABLES := DATA OUT SIZE SEED STEPS WORKERS DEVICE
GIVEN_TRAIN = $(call given,$(TRAIN_VARIABLES))

.PHONY: help env dataset retry train evaluate verify test check format captioner translator measure \
	bench-dataset bench-playground bench-shards bench-ledger \
	bench-stream bench-generate bench-train torture clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18
	@echo 'variables of make dataset: RECIPE $(VARIABLES)'
	@echo 'variables of make train:   TRAIN_RECIPE $(TRAIN_VARIABLES)'

env:  ## set up .venv (every other target does it by itself)
	@./setup_venv.sh

dataset: env  ## images -> captions -> translations -> shards: make dataset LANGS=de,fr,es
	@$(PYTHON_ENV) -m pipeline $(call quote,$(RECIPE)) $(GIVEN)

retry: env  ## ask again for what was rejected, all of it or REASON=...; other variables as for make dataset
	@$(PYTHON_ENV) -m pipeline $(call quote,$(RECIPE)) $(GIVEN) RETRY=$(call quote,$(or $(REASON),all))

train: env  ## train Florenz on the dataset of make dataset, and score it: make train DATA=... OUT=... SIZE=... STEPS=...
	@$(PYTHON_ENV) -m train $(call quote,$(TRAIN_RECIPE)) $(GIVEN_TRAIN)

evaluate: env  ## score what make train has made, with the same variables, and MAX_IMAGES=...
	@$(PYTHON_ENV) -m train.evaluate $(call quote,$(TRAIN_RECIPE)) $(GIVEN_TRAIN) $(call given,MAX_IMAGES)

verify: env  ## prove the coverage contract from the bytes of the shards: make verify OUT=data/playground
	@$(PYTHON_ENV) -m shards.verify $(call quote,$(OUT_OF_VERIFY))

test: env  ## all tests
	@$(PYTHON_ENV) -m pytest -q

check: env  ## format, lint, types, tests
	@$(PYTHON_ENV) -m ruff format --check --quiet . || { echo "florenz: run make format" >&2; exit 1; }
	@$(PYTHON_ENV) -m ruff check --quiet .
	@$(PYTHON_ENV) -m mypy
	@$(PYTHON_ENV) -m pytest -q

format: env  ## rewrite the code in the house format
	@$(PYTHON_ENV) -m ruff check --quiet --fix . ; $(PYTHON_ENV) -m ruff format --quiet .

captioner: env  ## train the playground's captioner again, from its seed (about 75 minutes on one core)
	@$(PYTHON_ENV) -m playground.train_captioner

translator: env  ## train the playground's translator again, from its seed (about an hour on one core)
	@$(PYTHON_ENV) -m playground.train_translator

measure: env  ## the scores of the model cards: both tiny models on unseen scenes (about 5 minutes)
	@$(PYTHON_ENV) -m playground.measure

bench-dataset: env  ## time and peak memory of the default dataset
	@$(PYTHON_ENV) -m benchmarks.dataset

bench-playground: env  ## how much of the playground's dataset is exactly right
	@$(PYTHON_ENV) -m benchmarks.playground

bench-ledger: env  ## what the ledger costs, and whether cost per image stays the same up to 100,000 images
	@$(PYTHON_ENV) -m benchmarks.ledger

bench-stream: env  ## reading the shards against the plain webdataset pipeline
	@$(PYTHON_ENV) -m benchmarks.stream

bench-generate: env  ## generation with a key-value cache against without
	@$(PYTHON_ENV) -m benchmarks.generate

bench-train: env  ## training from the stream against training from memory
	@$(PYTHON_ENV) -m benchmarks.train

torture: env  ## kill real runs at 200 points, run them again and compare every byte (about half an hour)
	@$(PYTHON_ENV) -m benchmarks.torture

bench-shards: env  ## writing shards against webdataset's ShardWriter
	@$(PYTHON_ENV) -m benchmarks.shards

clean:  ## remove the virtual environment; datasets in data/ stay
	rm -rf .venv
