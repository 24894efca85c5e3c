#!/bin/sh
# Brings what `make e2e` needs beside the rest: Kubernetes, etcd, CoreDNS and Kubernetes' own tests, built from the Go modules that test/go pins.
# All of it is below .cache/bin, where test/programs.ts finds it; a second run does nothing. From empty caches this takes a quarter of an hour on two cores.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup-test.sh
. scripts/lib-setup.sh

# What goes into the images that Kubernetes' tests start, and what its programs call.
need_debian dig:bind9-dnsutils host:bind9-host nc:netcat-openbsd iperf:iperf ping:iputils-ping openssl:openssl nft:nftables conntrack:conntrack ip:iproute2 curl:curl

# Busybox linked with the C library: the static one of the other tests resolves no names.
unpack_debian busybox

# A build of thousands of packages says how far it is: go names each package as it gets to it (those it has cached, not at all).
shown() { # TEXT, PACKAGE, COMMAND
  text=$1 package=$2
  shift 2
  total=$("$go" list -deps "$package" | wc -l)
  say "$text ($total packages; those already compiled are skipped)"
  { nice -n 10 "$@" 2>&1 || echo '!failed'; } | awk -v total="$total" -v who="$(basename "$0" .sh)" '
    /^!failed$/ { failed = 1; next }
    / / || /^#/ { print > "/dev/stderr"; next }
    { if (++n % 200 == 0) { printf "%s:   %d of %d packages\n", who, n, total; fflush() } }
    END { exit failed }'
}

kube_version=$(sed -n 's|^	k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' test/go/kube/go.mod)
minor=${kube_version#v1.}
minor=${minor%%.*}
# Without these the programs would call themselves a development version, which their own version checks refuse.
base=k8s.io/component-base/version client=k8s.io/client-go/pkg/version
kube_flags="-s -w -X $base.gitVersion=$kube_version -X $base.gitMajor=1 -X $base.gitMinor=$minor -X $base.gitTreeState=clean"
kube_flags="$kube_flags -X $client.gitVersion=$kube_version -X $client.gitMajor=1 -X $client.gitMinor=$minor"

build_kube() {
  shown "kube: all of Kubernetes $kube_version in one program; usually 4 to 8 minutes" . \
    "$go" build -v -trimpath -ldflags "$kube_flags" -o "$into/kube" .
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do ln -s kube "$into/$name"; done
}

build_etcd() {
  shown 'etcd: usually half a minute' go.etcd.io/etcd/server/v3 "$go" build -v -trimpath -ldflags '-s -w' -o "$into/etcd" go.etcd.io/etcd/server/v3
}

build_coredns() {
  shown 'coredns: usually 2 minutes' github.com/coredns/coredns "$go" build -v -trimpath -ldflags '-s -w' -o "$into/coredns" github.com/coredns/coredns
}

build_e2e() {
  tests=k8s.io/kubernetes/test
  shown "e2e: agnhost, the program in the Pods of Kubernetes' tests; usually 10 seconds" $tests/images/agnhost \
    "$go" build -v -trimpath -ldflags "$kube_flags" -o "$into/agnhost" $tests/images/agnhost
  # Its server for the test of the API's proxy wants them in its root folder.
  source=$("$go" list -m -f '{{.Dir}}' k8s.io/kubernetes)
  install -m 644 "$source"/test/images/agnhost/porter/localhost.crt "$source"/test/images/agnhost/porter/localhost.key "$into/"
  shown 'e2e: ginkgo, which runs the tests' github.com/onsi/ginkgo/v2/ginkgo \
    "$go" build -v -trimpath -ldflags '-s -w' -o "$into/ginkgo" github.com/onsi/ginkgo/v2/ginkgo
  shown "e2e: Kubernetes' own tests; usually 4 to 5 minutes" $tests/e2e \
    "$go" test -c -v -trimpath -ldflags "$kube_flags" -o "$into/e2e.test" $tests/e2e
}

# One after another: two at once would only fight for memory and cores.
build_as etcd etcd build_etcd
build_as kube kube build_kube
build_as e2e kube build_e2e
build_as coredns coredns build_coredns
