{{/* The longest that a request may be under way once it has arrived, in seconds: a look's deadline, or a photo's. */}}
{{- define "recolor.answerSeconds" -}}
{{- $deadline := .RECOLOR_DEADLINE_SECONDS | default 8 | float64 -}}
{{- maxf $deadline (.RECOLOR_RENDER_SECONDS | default 30 | float64) | ceil | int -}}
{{- end }}

{{/*
From the order to end until the kill: the preStop sleep, then what the service waits for, which is an answer under way
(and a second), the student (10), and disk and event store (5 each); some to spare.
*/}}
{{- define "recolor.graceSeconds" -}}
{{- add .Values.preStopSeconds (include "recolor.answerSeconds" .settings) 25 -}}
{{- end }}

{{/* The longest a proxy should wait for an answer: the upload of a photo comes first. */}}
{{- define "recolor.proxySeconds" -}}
{{- $upload := .Values.settings.RECOLOR_UPLOAD_SECONDS | default 60 | ceil | int -}}
{{- add $upload (include "recolor.answerSeconds" .Values.settings) 5 -}}
{{- end }}
