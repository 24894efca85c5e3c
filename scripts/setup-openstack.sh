#!/bin/sh
# Brings what `make clouds` needs for OpenStack: Debian's Python libraries of Keystone, Neutron, Placement, Nova and Octavia (about 82 MB to fetch, 410 MB on disk).
# No daemon, no user and no init script is among them; the servers run only inside of tests. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

# The last one is compiled code: without it each change of a port costs Neutron twice the time.
missing=''
for package in python3-keystone python3-neutron python3-placement python3-nova python3-octavia python3-sqlalchemy-ext; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] || install_debian "$missing"
