#!/bin/sh
# The kernel's share of a Pod as a CNI plugin, by ip(8): two batches for ADD, one command for DEL. Runs in the namespace of the node.
number=${CNI_CONTAINERID##*-}
pod=${CNI_NETNS##*/}
link=fpi$number
address=10.97.$((number >> 8 & 255)).$((number & 255))
mac=00:$((number / 100)):$((number % 100))
if [ "$CNI_COMMAND" = ADD ]; then
  ip -batch - <<END || exit 1
link add $link mtu 1500 address 02:fd:01:$mac numtxqueues 1 numrxqueues 1 type veth peer name eth0 mtu 1500 address 02:fd:02:$mac numtxqueues 1 numrxqueues 1 netns $pod
link set $link addrgenmode none
link set $link up alias "flatpod $CNI_CONTAINERID/eth0"
route add $address/32 dev $link scope link proto 114 table 7000
END
  exec nsenter --net="$CNI_NETNS" ip -batch - <<END
link set eth0 up
address add $address/32 dev eth0
route add 169.254.1.1/32 dev eth0 scope link
route add default via 169.254.1.1 dev eth0
neighbour add 169.254.1.1 lladdr 02:fd:01:$mac dev eth0 nud permanent
END
fi
exec ip link del $link
