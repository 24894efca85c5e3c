#!/bin/sh
# Brings QingCloud's own clients, which the double of its API is judged by (test/**/*.qingcloud.ts): the one for Go is built into .cache/bin, the one for
# Python installed in a virtual environment of its own, .cache/qingcloud-python. Half a minute each; a second run does nothing.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

build_client() { "$go" build -trimpath -ldflags='-s -w' -o "$into/client" .; }

build_as qingcloud qingcloud build_client

client=1.2.16
need_debian python3:python3
python3 -c 'import ensurepip' 2>/dev/null || install_debian python3-venv
want="qingcloud-sdk $client, $(python3 --version)"
[ "$(cat .cache/qingcloud-python/is 2>/dev/null || :)" != "$want" ] || exit 0
say "installing $want into .cache/qingcloud-python"
rm -rf .cache/qingcloud-python
python3 -m venv .cache/qingcloud-python
.cache/qingcloud-python/bin/pip install -q --disable-pip-version-check "qingcloud-sdk==$client"
echo "$want" >.cache/qingcloud-python/is
