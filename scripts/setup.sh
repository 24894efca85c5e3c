#!/bin/sh
# Installs what the repository needs on a Debian machine: Debian packages that are missing, then the npm packages of package-lock.json.
set -eu
cd "$(dirname "$0")/.."

# command:Debian package (nftables brings libnftables, which is what Flatpod itself uses)
missing=''
for need in ip:iproute2 nft:nftables gcc:gcc musl-gcc:musl-tools aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu \
  nsenter:util-linux ping:iputils-ping tcpdump:tcpdump conntrack:conntrack; do
  command -v "${need%%:*}" >/dev/null || missing="$missing ${need#*:}"
done
# The cross compiler's C library is a package of its own.
if [ -e /usr/aarch64-linux-gnu/lib/libc.a ]; then :; else missing="$missing libc6-dev-arm64-cross"; fi
# A native arm64 machine has no use for it.
[ "$(uname -m)" = x86_64 ] || missing=$(echo "$missing" | sed 's/gcc-aarch64-linux-gnu//; s/libc6-dev-arm64-cross//')
if [ -n "$(echo "$missing" | tr -d ' ')" ]; then
  echo "setup: installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# A copy of the lock tells whether node_modules is what package-lock.json asks for.
if ! cmp -s package-lock.json node_modules/.flatpod-lock; then
  echo 'setup: installing npm packages (Node 26 among them, 150 MB)'
  # Not npm ci: it wants every platform's optional packages in the lock, and npm leaves out those the registry does not offer.
  npm install --no-save --no-progress --loglevel=error
  cp package-lock.json node_modules/.flatpod-lock
fi
