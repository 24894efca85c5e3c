"""QingCloud's own Python client, driven from outside: HOST PORT KEY SECRET ZONE; each line of the input is [verb, action, parameters], each of the output the answer."""

import json
import sys

from qingcloud.iaas.connection import APIConnection

host, port, key, secret, zone = sys.argv[1:]
cloud = APIConnection(key, secret, zone, host=host, port=int(port), protocol="http")
for line in sys.stdin:
    verb, action, parameters = json.loads(line)
    print(json.dumps(cloud.send_request(action, parameters, verb=verb)), flush=True)
