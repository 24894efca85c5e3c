{{- /* Labels and names. One installation a cluster: names are fixed. */ -}}

{{- define "flatpod.labels" -}}
app.kubernetes.io/name: flatpod
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "flatpod.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- /* Whether the scheduler counts addresses: "true" or nothing. "auto": where the API server has the kind of policy that it takes. */ -}}
{{- define "flatpod.tellScheduler" -}}
{{- if eq (toString .Values.scheduler.enabled) "auto" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}true{{ end -}}
{{- else if .Values.scheduler.enabled }}true{{ end -}}
{{- end -}}

{{- /* Environment of both processes. A variable that is set here is not overwritten by the kubelet's own. */ -}}
{{- define "flatpod.apiServer" -}}
{{- with .Values.apiServer.host }}
- name: KUBERNETES_SERVICE_HOST
  value: {{ . | quote }}
- name: KUBERNETES_SERVICE_PORT
  value: {{ $.Values.apiServer.port | quote }}
{{- end }}
{{- end -}}
