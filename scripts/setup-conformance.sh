#!/bin/sh
# Brings what `make conformance` needs beside the rest: the reference plugins' own test suites, compiled from the Go modules that test/go/conformance pins.
# And a kernel for what this machine's has not. A second run does nothing; the first takes some minutes, and the kernel eight.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup-test.sh
sh scripts/guest-kernel.sh
. scripts/lib-setup.sh

# Those of the main plugins: they execute the IPAM plugin by its name. The IPAM plugins' own suites call their functions, which are not ours.
build_suites() {
  for plugin in bridge host-device ipvlan macvlan ptp tap vlan; do
    say "compiling the tests of $plugin"
    nice -n 10 "$go" test -c -o "$into/$plugin.test" "github.com/containernetworking/plugins/plugins/main/$plugin"
  done
}

build_as conformance conformance build_suites
