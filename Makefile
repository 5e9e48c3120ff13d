# The commands of this project; `make help` lists them. Each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

NPM_READY := node_modules/.package-lock.json
DOLT := .tools/bin/dolt
PYTHON := .tools/python/.ready
KUBERNETES := .tools/schemas/.ready
BUILT := dist/.built
# Where kn looks for plugins first.
PLUGINS_DIR ?= $(HOME)/.config/kn/plugins
IMAGE ?= beads-auto-dispatch:latest
SOURCES := $(shell find cli demo functions shared sources examples openfaas test/world -name '*.ts') tools/bundle.ts tools/trim.ts tools/bake.ts tsconfig.json package.json

.PHONY: help setup demo dev test proofs e2e bench conformance lint typecheck build grants plugins package release-files image recording docs format clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(DOLT) $(NPM_READY) $(PYTHON) $(KUBERNETES) ## all that the tests need: npm packages, Dolt (3 minutes, once), kustomize, a Python SDK

demo: $(DOLT) $(NPM_READY) $(BUILT) ## see it work: beads go in, agents get them, events come out
	@npm run --silent demo

dev: $(DOLT) $(NPM_READY) $(BUILT) ## the same world, kept up to play with by hand
	@npm run --silent dev

test: setup lint typecheck docs-check $(BUILT) ## everything, against a real Dolt server
	@npm run --silent test

proofs: setup $(BUILT) ## the long proofs: 200 races, 300 random histories, 1,000 random states, a server without autocommit, mutation tests
	@RACE_ROUNDS=200 npm run --silent test -- test/claim-race.test.ts
	@PROPERTY_RUNS=300 npm run --silent test -- test/properties.test.ts
	@AGREEMENT_STATES=1000 npm run --silent test -- test/agreement.test.ts
	@npm run --silent test:any-server
	@npm run --silent mutation

e2e: $(BUILT) ## try an installation on the cluster of your kubeconfig: IMAGE=name [OVERLAY=folder DOLT_IMAGE=name]
	@node_modules/.bin/node dist/plugins/kn-beads verify --image $(IMAGE) \
	  $(if $(OVERLAY),--overlay $(OVERLAY)) $(if $(DOLT_IMAGE),--dolt-image $(DOLT_IMAGE))

bench: $(NPM_READY) $(DOLT) $(BUILT) ## measure, side by side with what it is compared to; writes docs/performance.md. BD=path
	@npm run --silent bench -- $(MEASURE)

conformance: $(NPM_READY) $(DOLT) ## compare what is written with what bd writes: BD=path:path, FILE=page to write
	@CONFORMANCE_FILE=$(FILE) npm run --silent test -- test/conformance.test.ts

lint: $(NPM_READY) ## oxlint with types, prettier
	@npm run --silent lint

typecheck: $(NPM_READY) ## tsc, strict
	@npm run --silent typecheck

build: $(BUILT) ## bundle all programs and plugins into dist/

grants: override export PASSWORD := $(value PASSWORD)
grants: export HOST := $(or $(HOST),127.0.0.1)
grants: export PORT := $(or $(PORT),3306)
grants: $(NPM_READY) ## make or update the SQL user of the functions, and try it: DB=name PASSWORD=new [HOST= PORT= ADMIN= ADMIN_PASSWORD= FOR=watch]
	@npm run --silent grants

plugins: $(BUILT) ## install the plugins of kn: kn beads, kn source ping suspend and resume
	@mkdir -p $(PLUGINS_DIR)
	@install -m 755 dist/plugins/kn-* dist/plugins/kubectl_complete-beads $(PLUGINS_DIR)/
	@install -m 644 dist/plugins/package.json $(PLUGINS_DIR)/
	@echo "installed in $(PLUGINS_DIR): $$(cd dist/plugins && echo kn-*)"

package: $(BUILT) ## pack the command line as an npm package, dist/npm/*.tgz
	@node_modules/.bin/node tools/package.ts

release-files: $(BUILT) ## what a release has beside its image: packages, plugins, manifests, SBOM, checksums; in dist/release
	@node_modules/.bin/node tools/release.ts

image: ## build the container image, with podman, docker or buildah
	@tools/image.sh $(IMAGE)

recording: $(DOLT) $(NPM_READY) $(BUILT) ## record the demo as docs/demo.svg, or in FILE
	@node_modules/.bin/node tools/record.ts $(FILE)

docs: $(NPM_READY) ## write the generated parts of the docs
	@npm run --silent docs

.PHONY: docs-check
docs-check: $(NPM_READY)
	@npm run --silent docs -- --check

format: $(NPM_READY) ## prettier, writing
	@npm run --silent format

clean: ## remove what was built (not the Dolt binary)
	rm -rf dist node_modules

$(NPM_READY): package.json package-lock.json
	@tools/npm.sh
	@touch $@

$(DOLT): tools/go.mod tools/dolt.sh
	@tools/dolt.sh
	@touch -h $@

$(KUBERNETES): tools/kubernetes/build.sh tools/kubernetes/schemas.ts tools/kubernetes/go.mod $(NPM_READY)
	@tools/kubernetes/build.sh

$(PYTHON): tools/requirements.txt tools/python.sh
	@tools/python.sh

$(BUILT): $(NPM_READY) $(SOURCES)
	@npm run --silent build
	@touch $@
	@echo "built: $$(cd dist && echo *.cjs plugins/kn-*)"
