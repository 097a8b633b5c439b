{{- define "fleetlens.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "fleetlens.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "fleetlens.nats" -}}
{{- if .Values.nats.url }}{{ .Values.nats.url }}{{ else if .Values.nats.server.enabled }}nats://{{ include "fleetlens.name" . }}-nats.{{ .Release.Namespace }}.svc:4222{{ else }}{{ fail "nats.url: say where NATS is, or set nats.server.enabled" }}{{ end }}
{{- end }}

{{/* Labels that a selector has, of (list $ "operator"). */}}
{{- define "fleetlens.selects" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "fleetlens.labels" -}}
{{ include "fleetlens.selects" . }}
app.kubernetes.io/part-of: fleetlens
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* The head of an object of (list $ "operator"). */}}
{{- define "fleetlens.metadata" -}}
name: {{ include "fleetlens.name" (index . 0) }}-{{ index . 1 }}
namespace: {{ (index . 0).Release.Namespace }}
labels: {{- include "fleetlens.labels" . | nindent 2 }}
{{- end }}

{{/* The head of a pod, of (list $ "operator" config): a changed configuration makes new pods. */}}
{{- define "fleetlens.podMetadata" -}}
labels: {{- include "fleetlens.labels" (list (index . 0) (index . 1)) | nindent 2 }}
annotations:
  checksum/config: {{ index . 2 | toJson | sha256sum }}
{{- end }}

{{/* What Pod Security's profile "restricted" asks of a pod. */}}
{{- define "fleetlens.restrictedPod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "fleetlens.restricted" -}}
image: {{ include "fleetlens.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Where NATS is, and as whom. */}}
{{- define "fleetlens.natsEnv" -}}
- {name: NATS_URL, value: {{ include "fleetlens.nats" . | quote }}}
- {name: NATS_CREDS, value: /etc/fleetlens/nats/nats.creds}
{{- if .Values.nats.ca }}
- {name: FLEETLENS_TLSCA, value: /etc/fleetlens/ca/ca.crt}
{{- end }}
{{- end }}

{{- define "fleetlens.mounts" -}}
- {name: nats, mountPath: /etc/fleetlens/nats, readOnly: true}
{{- if .Values.nats.ca }}
- {name: ca, mountPath: /etc/fleetlens/ca, readOnly: true}
{{- end }}
{{- end }}

{{/* The volumes of (list $ "name of the Secret with credentials"). */}}
{{- define "fleetlens.volumes" -}}
- {name: nats, secret: {secretName: {{ index . 1 }}, defaultMode: 0440}}
{{- with (index . 0).Values.nats.ca }}
- {name: ca, secret: {secretName: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- end }}

{{/* One token of the Secret, as a volume that no other token is in, of (list $ "ui"). */}}
{{- define "fleetlens.token" -}}
- {name: token-{{ index . 1 }}, secret: {secretName: {{ (index . 0).Values.tokens }}, defaultMode: 0440, items: [{key: {{ index . 1 }}, path: token}]}}
{{- end }}

{{- define "fleetlens.tokenMount" -}}
- {name: token-{{ . }}, mountPath: /etc/fleetlens/token-{{ . }}, readOnly: true}
{{- end }}

{{/* Health of a program, at its port of this name. */}}
{{- define "fleetlens.health" -}}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 20
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
{{- end }}

{{/* The file of the gateway: what it sends, and takes. */}}
{{- define "fleetlens.gatewayConfig" -}}
{{- $config := dict }}
{{- with .Values.gateway.sinks }}{{ $_ := set $config "sinks" . }}{{ end }}
{{- if and .Values.gateway.intake .Values.gateway.intakes }}{{ $_ := set $config "intakes" .Values.gateway.intakes }}{{ end }}
{{- toYaml $config }}
{{- end }}
