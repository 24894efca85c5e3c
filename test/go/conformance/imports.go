// Package conformance pins the reference plugins, and what their own tests are written with.
package conformance

import (
	_ "github.com/containernetworking/plugins/pkg/testutils"
	_ "github.com/coreos/go-iptables/iptables"
	_ "github.com/networkplumbing/go-nft/nft"
	_ "github.com/onsi/ginkgo/v2"
	_ "github.com/onsi/gomega"
	_ "github.com/onsi/gomega/gexec"
	_ "sigs.k8s.io/knftables"
)
