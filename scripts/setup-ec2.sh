#!/bin/sh
# Sets up the EC2 servers that the driver for AWS is tested against (test/**/*.ec2.ts): moto from PyPI in a virtual environment of its own, .cache/moto
# (330 MB, one to two minutes). A second run does nothing; another version or Python is another environment.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib-setup.sh

python_environment moto 'moto[server,ec2]==5.2.5'
