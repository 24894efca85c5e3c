#!/bin/sh
# Brings what the tests against real runtimes need: Debian packages that are missing, and Go programs built from the modules that test/go pins.
# Only the container tools of the first list are installed; the rest stays below .cache/, where test/programs.ts finds it. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

# What podman and the plugins look for in the usual places.
need_debian runc:runc podman:podman conmon:conmon iptables:iptables /usr/lib/cni/portmap:containernetworking-plugins
unpack_debian containerd
unpack_debian busybox-static
# A kernel that runs as a process, for tests of what this machine's kernel lacks. There is none for other processors.
[ "$arch" != amd64 ] || need_debian linux.uml:user-mode-linux uml_mconsole:uml-utilities setpriv:util-linux
build cni -ldflags '-s -w'
version=$(sed -n 's|.*containerd/containerd/v2 \(v[0-9.]*\).*|\1|p' test/go/containerd/go.mod)
build containerd -tags 'no_btrfs no_zfs no_devmapper no_aufs' -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=$version"
# Two to five minutes the first time.
build helm -ldflags '-s -w'
