#!/bin/sh
# Sets up the EC2 servers that the driver for AWS is tested against (test/**/*.ec2.ts): moto from PyPI in a virtual environment of its own, .cache/moto
# (330 MB, one to two minutes). A second run does nothing; another version or Python is another environment.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

moto=5.2.5
need_debian python3:python3
python3 -c 'import ensurepip' 2>/dev/null || install_debian python3-venv
want="moto $moto, $(python3 --version)"
[ "$(cat .cache/moto/is 2>/dev/null || :)" != "$want" ] || exit 0
say "installing $want into .cache/moto"
rm -rf .cache/moto
python3 -m venv .cache/moto
.cache/moto/bin/pip install -q --disable-pip-version-check "moto[server,ec2]==$moto"
echo "$want" >.cache/moto/is
