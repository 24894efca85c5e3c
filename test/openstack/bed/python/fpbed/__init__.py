"""What stands around OpenStack's own servers so that they run on one machine's loopback, without a broker, agents or a hypervisor."""
