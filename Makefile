# The two commands of the README are `make demo` and `make test`; both set up what they need by themselves.
NODE := node_modules/.bin/node --disable-warning=ExperimentalWarning
.DEFAULT_GOAL := help
.PHONY: help setup build image demo demo-clean test guest clouds e2e conformance bench fmt lint clean

help:
	@echo 'make demo        a VPC, three nodes, a dozen Pods, real packets; KEEP=1 leaves it running;'
	@echo '                 DATAPATH=macvlan or nic connects the Pods otherwise, ipvlan or branch does so in a guest kernel that has these;'
	@echo '                 CLOUD=aws, qingcloud or openstack: the agents speak that cloud'"'"'s API, OpenStack is a real one'
	@echo 'make demo-clean  removes what a demo left'
	@echo 'make test        the whole test suite'
	@echo 'make guest       the tests that need another kernel, with nftables in it; the first time it builds that kernel, about 8 minutes'
	@echo 'make clouds      the drivers against servers that are not ours: OpenStack, an EC2 server, QingCloud'"'"'s client; the first time it installs those'
	@echo 'make e2e         the tests on a real Kubernetes cluster, about 18 minutes; the first time it builds Kubernetes, a quarter of an hour more'
	@echo 'make conformance the tests of the reference plugins with our IPAM plugin, about 3 minutes; the first time it compiles them and a guest kernel, 10 minutes more'
	@echo 'make bench       Flatpod beside other plugins, side by side; QUICK=1 takes under five minutes, PEERS=all adds those that it is told the place of'
	@echo 'make build       dist/: the CNI executable and the bundled command'
	@echo 'make image       dist/flatpod-image.tar: the OCI image, with its layers listed'
	@echo 'make fmt         formats the sources'
	@echo 'make lint        format check, types, lint'
	@echo 'make clean       removes dist/, node_modules/ and .cache/'

setup:
	@sh scripts/setup.sh

build: setup
	@$(NODE) scripts/build.ts

image: build
	@$(NODE) scripts/image.ts

demo: build
ifeq ($(CLOUD),openstack)
	@sh scripts/setup-openstack.sh
	@$(NODE) test/openstack/demo.ts $(if $(JSON),--json)
else ifneq ($(filter ipvlan branch,$(DATAPATH)),)
	@sh scripts/guest-kernel.sh
	@$(NODE) scripts/guest.ts bin/flatpod demo --datapath $(DATAPATH) $(if $(JSON),--json)
else
	@bin/flatpod demo $(if $(DATAPATH),--datapath $(DATAPATH)) $(if $(CLOUD),--cloud $(CLOUD)) $(if $(KEEP),--keep) $(if $(JSON),--json)
endif

demo-clean: build
	@bin/flatpod demo --clean

test: build lint
	@sh scripts/setup-test.sh
	@$(NODE) test/run.ts

guest: build
	@sh scripts/setup-test.sh
	@sh scripts/guest-kernel.sh
	@$(NODE) test/run.ts guest

clouds: build
	@sh scripts/setup-openstack.sh
	@sh scripts/setup-ec2.sh
	@sh scripts/setup-qingcloud.sh
	@$(NODE) test/clouds.ts

e2e: build
	@sh scripts/setup-e2e.sh
	@$(NODE) test/cluster/run.ts

conformance: build
	@sh scripts/setup-conformance.sh
	@$(NODE) test/conformance/run.ts

bench: build
	@sh scripts/setup-test.sh
	@$(NODE) bench/run.ts

fmt: setup
	@node_modules/.bin/biome format --write src test scripts bench

lint: setup
	@node_modules/.bin/biome format src test scripts bench
	@node_modules/.bin/tsc --noEmit
	@node_modules/.bin/oxlint --type-aware --deny-warnings src test scripts bench

clean:
	rm -rf dist node_modules .cache
