module flatpod.dev/test/qingcloud

go 1.26.0

require github.com/yunify/qingcloud-sdk-go v2.0.0-alpha.38+incompatible

require (
	github.com/sirupsen/logrus v1.10.2 // indirect
	golang.org/x/sys v0.13.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)
