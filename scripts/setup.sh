#!/bin/sh
# Installs what the repository needs on a Debian machine: Debian packages that are missing, then the npm packages of package-lock.json.
set -eu
cd "$(dirname "$0")/.."

# command or file : Debian package
needs='ip:iproute2 nft:nftables musl-gcc:musl-tools gcc:gcc ping:iputils-ping tcpdump:tcpdump conntrack:conntrack
/usr/share/doc/libnftables1:libnftables1 /usr/share/doc/aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu'
missing=''
for need in $needs; do
  what=${need%%:*} package=${need#*:}
  case $what in
    /usr/share/doc/aarch64-linux-gnu-gcc) command -v aarch64-linux-gnu-gcc >/dev/null || missing="$missing $package" ;;
    /*) [ -e "$what" ] || ls /usr/lib/*/libnftables.so.1 >/dev/null 2>&1 || missing="$missing $package" ;;
    *) command -v "$what" >/dev/null || missing="$missing $package" ;;
  esac
done
if [ -n "$missing" ]; then
  echo "setup: installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# npm's own lock copy tells whether node_modules is what package-lock.json asks for.
if ! cmp -s package-lock.json node_modules/.flatpod-lock; then
  echo 'setup: installing npm packages (Node 26 among them, 150 MB)'
  npm ci --no-progress --loglevel=error
  cp package-lock.json node_modules/.flatpod-lock
fi
