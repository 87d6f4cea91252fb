{{/* Values that are right each for itself and wrong together: refused, with what to do. */}}
{{- define "recolor.refuse" -}}
{{- $v := .Values -}}
{{- if not (or $v.auth.secret $v.auth.open) }}
{{- fail "Without keys the service serves nobody beyond its pod: name a Secret in auth.secret, or set auth.open=true." }}
{{- end }}
{{- if and $v.auth.secret $v.auth.open }}
{{- fail "auth.open=true and auth.secret exclude each other: set auth.secret=\"\" to ask for no key." }}
{{- end }}

{{- $several := "" -}}
{{- if gt (int $v.replicas) 1 }}{{ $several = printf "replicas=%d" (int $v.replicas) }}{{ end -}}
{{- if ne $v.autoscaling.kind "none" }}{{ $several = printf "autoscaling.kind=%s" $v.autoscaling.kind }}{{ end -}}
{{- if $v.rollouts.enabled }}{{ $several = "rollouts.enabled=true" }}{{ end -}}
{{- if $v.canary.enabled }}{{ $several = "canary.enabled=true" }}{{ end -}}
{{- if and $several (not $v.events.secret) }}
{{- fail (printf "%s needs PostgreSQL, where all pods put their events: set events.secret." $several) }}
{{- end }}
{{- if and $several (not $v.redis.secret) }}
{{- fail (printf "%s needs Redis, which all pods share as their cache: set redis.secret." $several) }}
{{- end }}

{{- if and $v.canary.enabled $v.rollouts.enabled }}
{{- fail "canary.enabled and rollouts.enabled exclude each other: Argo Rollouts makes the canary itself when `model` or `image` changes." }}
{{- end }}
{{- if and $v.canary.enabled (not $v.canary.model) }}
{{- fail "canary.enabled=true needs canary.model, the name@version to try." }}
{{- end }}
{{- if and (or $v.canary.enabled $v.rollouts.enabled) $v.settings.RECOLOR_VARIANTS }}
{{- fail (printf "%s and an experiment (settings.RECOLOR_VARIANTS) blur each other: requests are shared by the one, projects by the other. Have one at a time." $several) }}
{{- end }}
{{- if and (or $v.canary.enabled $v.rollouts.enabled) (eq $v.traffic.kind "none") }}
{{- fail (printf "%s needs something that shares traffic by weight: set traffic.kind to gateway or nginx." $several) }}
{{- end }}
{{- if and (eq $v.traffic.kind "gateway") (not $v.traffic.gateway.name) }}
{{- fail "traffic.kind=gateway needs traffic.gateway.name, the Gateway that requests come in by." }}
{{- end }}
{{- if and (eq $v.traffic.kind "nginx") (not $v.traffic.host) }}
{{- fail "traffic.kind=nginx needs traffic.host: a canary Ingress is found by the host of the one it goes with." }}
{{- end }}

{{- if and (eq $v.autoscaling.kind "keda") (not $v.autoscaling.keda.prometheus) }}
{{- fail "autoscaling.kind=keda needs autoscaling.keda.prometheus, the URL of the Prometheus it asks." }}
{{- end }}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." }}
{{- end }}
{{- if and $v.rollouts.enabled (not $v.rollouts.analysis.prometheus) }}
{{- fail "rollouts.enabled=true needs rollouts.analysis.prometheus, the URL of the Prometheus that judges the canary." }}
{{- end }}
{{- if and (eq $v.models.source "copy") (not $v.models.copy.image) }}
{{- fail "models.source=copy needs models.copy.image, the image that holds the model store." }}
{{- end }}
{{- end }}
