{{/* The name of everything in a release. */}}
{{- define "recolor.name" -}}
{{- ternary .Release.Name (printf "%s-recolor" .Release.Name) (contains "recolor" .Release.Name) | trunc 53 | trimSuffix "-" -}}
{{- end }}

{{/* Labels of every object. */}}
{{- define "recolor.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "recolor.selector" . }}
{{- end }}

{{/* Labels of every pod of a release. */}}
{{- define "recolor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
What runs side by side, as YAML. `name` is that of the track's objects, `labels` tell its pods from the other track's.
With Argo Rollouts there is one, whose pods Argo labels itself.
*/}}
{{- define "recolor.tracks" -}}
stable:
  name: {{ include "recolor.name" . }}
  labels: {{ ternary dict (dict "track" "stable") .Values.rollouts.enabled | toJson }}
  model: {{ .Values.model }}
  replicas: {{ .Values.replicas }}
  tag: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
  settings: {}
{{- if .Values.canary.enabled }}
canary:
  name: {{ include "recolor.name" . }}-canary
  labels: {track: canary}
  model: {{ .Values.canary.model }}
  replicas: {{ .Values.canary.replicas }}
  tag: {{ .Values.canary.tag | default .Values.image.tag | default .Chart.AppVersion | quote }}
  settings: {{ .Values.canary.settings | toJson }}
{{- end }}
{{- end }}

{{/* The Services that share the traffic: one a track; two for Argo Rollouts, which tells their pods apart. */}}
{{- define "recolor.services" -}}
{{- range $track, $it := include "recolor.tracks" . | fromYaml }}
{{ $track }}: {{ pick $it "name" "labels" | toJson }}
{{- end }}
{{- if .Values.rollouts.enabled }}
canary: {{ dict "name" (printf "%s-canary" (include "recolor.name" .)) "labels" dict | toJson }}
{{- end }}
{{- end }}

{{/* A setting as its environment variable wants it: Helm reads every number as a float. */}}
{{- define "recolor.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}
