// QingCloud's own client, driven from outside: each line of the input is a call, each line of the output what the client made of the answer.
//
//	client http://HOST:PORT/iaas KEY SECRET ZONE
//	{"service": "Nic", "call": "CreateNics", "input": {"vxnet": "vxnet-…"}}
//
// An answer is {"output": …, "unknown": "…"}: `unknown` names a field of the answer that the client has no place for. A refusal is {"code": …, "message": …}.
// {"wait": "j-…"} waits for a job with the client's own function.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"time"

	"github.com/yunify/qingcloud-sdk-go/client"
	"github.com/yunify/qingcloud-sdk-go/config"
	qcerrors "github.com/yunify/qingcloud-sdk-go/request/errors"
	"github.com/yunify/qingcloud-sdk-go/service"
)

type call struct {
	Service string
	Call    string
	Input   json.RawMessage
	Wait    string
}

type answer struct {
	Output  any    `json:"output,omitempty"`
	Unknown string `json:"unknown,omitempty"`
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Keeps the last body that passed.
type listener struct{ last []byte }

func (l *listener) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	l.last = body
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func main() {
	if len(os.Args) != 5 {
		fatal(errors.New("usage: client URL KEY SECRET ZONE"))
	}
	// It wants a configuration file of its own, and writes one where there is none: in the folder that HOME names.
	cfg, err := config.NewWithEndpoint(os.Args[2], os.Args[3], os.Args[1])
	if err != nil {
		fatal(err)
	}
	heard := &listener{}
	cfg.Connection = &http.Client{Transport: heard, Timeout: 20 * time.Second}
	cloud, err := service.Init(cfg)
	if err != nil {
		fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var wanted call
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			fatal(err)
		}
		if err := out.Encode(perform(cloud, os.Args[4], heard, wanted)); err != nil {
			fatal(err)
		}
	}
}

func perform(cloud *service.QingCloudService, zone string, heard *listener, wanted call) answer {
	if wanted.Wait != "" {
		jobs, err := cloud.Job(zone)
		if err == nil {
			err = client.WaitJob(jobs, wanted.Wait, 15*time.Second, 20*time.Millisecond)
		}
		return refusal(err)
	}
	opened := reflect.ValueOf(cloud).MethodByName(wanted.Service).Call([]reflect.Value{reflect.ValueOf(zone)})
	method := opened[0].MethodByName(wanted.Call)
	if !method.IsValid() {
		return refusal(fmt.Errorf("the client has no %s.%s", wanted.Service, wanted.Call))
	}
	input := reflect.New(method.Type().In(0).Elem())
	if err := strictly(wanted.Input, input.Interface()); err != nil {
		return refusal(err)
	}
	results := method.Call([]reflect.Value{input})
	if err, failed := results[1].Interface().(error); failed {
		return refusal(err)
	}
	unknown := ""
	if err := strictly(heard.last, reflect.New(results[0].Type().Elem()).Interface()); err != nil {
		unknown = err.Error()
	}
	return answer{Output: results[0].Interface(), Unknown: unknown}
}

func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func refusal(err error) answer {
	if err == nil {
		return answer{}
	}
	var known *qcerrors.QingCloudError
	if errors.As(err, &known) {
		return answer{Code: known.RetCode, Message: known.Message}
	}
	return answer{Code: -1, Message: err.Error()}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
