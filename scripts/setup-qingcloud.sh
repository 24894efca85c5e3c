#!/bin/sh
# Brings QingCloud's own clients, which the double of its API is judged by (test/**/*.qingcloud.ts): the one for Go is built into .cache/bin, the one for
# Python installed in a virtual environment of its own, .cache/qingcloud-python. Half a minute each; a second run does nothing.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

build_client() { "$go" build -trimpath -ldflags='-s -w' -o "$into/client" .; }

build_as qingcloud qingcloud build_client

python_environment qingcloud-python qingcloud-sdk==1.2.16
