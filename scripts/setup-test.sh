#!/bin/sh
# Brings what the tests against real runtimes need: Debian packages that are missing, and Go programs built from the modules that test/go pins.
# Only the container tools of the first list are installed; the rest stays below .cache/, where test/programs.ts finds it. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."
arch=$(dpkg --print-architecture)
mkdir -p .cache/bin .cache/debian
# Two at once would build everything twice.
exec 9>.cache/lock
flock 9

say() { echo "setup-test: $*"; }

apt_lists() {
  [ -n "${lists_are_fresh:-}" ] || DEBIAN_FRONTEND=noninteractive apt-get update -qq
  lists_are_fresh=yes
}

install_debian() {
  say "installing Debian packages:$*"
  apt_lists
  # shellcheck disable=SC2068 # words, some with a blank before them
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $@ >/dev/null
}

# What podman and the plugins look for in the usual places: path or command, then its package.
missing=''
for need in runc:runc podman:podman conmon:conmon iptables:iptables /usr/lib/cni/portmap:containernetworking-plugins; do
  command -v "${need%%:*}" >/dev/null || missing="$missing ${need#*:}"
done
[ -z "$missing" ] || install_debian "$missing"

# Unpacked, not installed: the packages would start a daemon, or push out another vendor's containerd and another busybox.
unpack_debian() { # PACKAGE
  [ ! -d ".cache/debian/$1" ] || return 0
  say "unpacking Debian's $1 into .cache/debian"
  apt_lists
  rm -rf ".cache/debian/$1.part"
  mkdir -p ".cache/debian/$1.part"
  # apt's own unprivileged user may not write below a home directory; as root it warns and goes on.
  (cd ".cache/debian/$1.part" && apt-get download -qq -o APT::Sandbox::User=root "$1" && dpkg -x ./*.deb . && rm ./*.deb)
  mv ".cache/debian/$1.part" ".cache/debian/$1"
}
unpack_debian containerd
unpack_debian busybox-static

# A go that is new enough for the modules: the one on PATH, else the toolchain module of their version, fetched by whichever go there is.
version_of() { sed -n 's/^go //p' "test/go/$1/go.mod"; }
needed=$(printf '%s\n' "$(version_of cni)" "$(version_of containerd)" | sort -V | tail -1)
export GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=0

is_new_enough() { # GO
  have=$("$1" env GOVERSION 2>/dev/null | sed 's/^go//') && [ -n "$have" ] &&
    [ "$(printf '%s\n' "$needed" "$have" | sort -V | head -1)" = "$needed" ]
}

find_go() {
  go=$(command -v go || true)
  if [ -n "$go" ] && is_new_enough "$go"; then return; fi
  own=.cache/go-$needed
  if [ ! -d "$own" ]; then
    [ -n "$go" ] || { install_debian golang-go && go=$(command -v go); }
    say "fetching the Go $needed toolchain (70 MB)"
    # To an old go it is a module like any other. The cache keeps its files without the right to execute them.
    fetched=$(cd / && GOFLAGS='' "$go" mod download -json "golang.org/toolchain@v0.0.1-go$needed.linux-$arch" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    rm -rf "$own.part"
    cp -r "$fetched" "$own.part"
    chmod -R u+w "$own.part"
    chmod +x "$own.part"/bin/* "$own.part"/pkg/tool/*/*
    mv "$own.part" "$own"
  fi
  go=$PWD/$own/bin/go
}

# Into .cache/bin/MODULE-HASH, the hash being that of go.mod and go.sum: another version is another folder, and the old one goes.
build() { # MODULE, what go build gets
  module=$1
  shift
  hash=$(cat "test/go/$module/go.mod" "test/go/$module/go.sum" | sha256sum | cut -c1-16)
  into=$PWD/.cache/bin/$module-$hash
  [ ! -d "$into" ] || return 0
  [ -n "${go:-}" ] || find_go
  begun=$(date +%s)
  say "building $module from its Go modules"
  for old in .cache/bin/"$module"-*; do rm -rf "$old"; done
  mkdir -p "$into.part"
  # shellcheck disable=SC2046 # a list of words
  (cd "test/go/$module" && "$go" mod download && "$go" build -trimpath "$@" -o "$into.part/" $("$go" list tool))
  mv "$into.part" "$into"
  say "built $(find "$into" -type f | wc -l) programs of $module in $(($(date +%s) - begun)) s"
}
build cni -ldflags '-s -w'
version=$(sed -n 's|.*containerd/containerd/v2 \(v[0-9.]*\).*|\1|p' test/go/containerd/go.mod)
build containerd -tags 'no_btrfs no_zfs no_devmapper no_aufs' -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=$version"
