// All programs of Kubernetes that the test cluster runs, in one: they share nine tenths of their code, and so of their memory.
// It is the program it is called as (a link of that name), or the one its first argument names.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Its flags are registered when a command is made, so only the wanted one may be.
func command(name string) *cobra.Command {
	switch name {
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		return controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "kube-proxy":
		return proxy.NewProxyCommand()
	case "kubelet":
		return kubelet.NewKubeletCommand(context.Background())
	case "kubectl":
		return kubectl.NewDefaultKubectlCommand()
	}
	return nil
}

func main() {
	found := command(filepath.Base(os.Args[0]))
	if found == nil && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		found = command(os.Args[0])
	}
	if found == nil {
		fmt.Fprintln(os.Stderr, "kube: name one of kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl")
		os.Exit(2)
	}
	os.Exit(cli.Run(found))
}
