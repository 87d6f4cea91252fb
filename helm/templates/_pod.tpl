{{/* The pod template of a track: takes a dict of `root` and `track`. */}}
{{- define "recolor.pod" -}}
{{- $ := .root -}}
{{- $track := .track -}}
{{- $v := $.Values -}}
{{- $settings := merge dict .track.settings $v.settings -}}
metadata:
  labels:
    {{- include "recolor.labels" $ | nindent 4 }}
    {{- with .track.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/settings: {{ include (print $.Template.BasePath "/configmap.yaml") $ | sha256sum }}
    {{- with $v.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "recolor.name" $ }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ include "recolor.graceSeconds" (dict "Values" $v "settings" $settings) }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  {{- with $v.image.pullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- if $v.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "recolor.selector" $ | nindent 10 }}
          {{- with $track.labels }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
    {{- end }}
  {{- end }}
  {{- if eq $v.models.source "copy" }}
  initContainers:
    - name: models
      image: {{ $v.models.copy.image }}
      command: [cp, -R, {{ trimSuffix "/" $v.models.copy.path }}/., /models]
      resources: {{ toYaml $v.resources | nindent 8 }}
      securityContext: {{ include "recolor.restricted" $ | nindent 8 }}
      volumeMounts:
        - {name: models, mountPath: /models}
  {{- end }}
  containers:
    - name: recolor
      image: {{ $v.image.repository }}:{{ .track.tag }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      ports:
        - {name: http, containerPort: 8000}
      envFrom:
        - configMapRef: {name: {{ include "recolor.name" $ }}}
      env: {{ include "recolor.env" . | nindent 8 }}
      resources: {{ toYaml $v.resources | nindent 8 }}
      securityContext: {{ include "recolor.restricted" $ | nindent 8 }}
      # Loading may take minutes, and is not to be taken for death.
      startupProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: {{ divf $v.startupSeconds 5 | ceil | int }}
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      lifecycle:
        preStop: {sleep: {seconds: {{ $v.preStopSeconds }}}}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: events, mountPath: /events}
        {{- if ne $v.models.source "image" }}
        - {name: models, mountPath: /models, readOnly: true}
        {{- end }}
        {{- if $v.sharedMemory }}
        - {name: shared-memory, mountPath: /dev/shm}
        {{- end }}
  # The root file system is read-only: these are all the places that are written to.
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 2Gi}
    - name: events
      emptyDir: {sizeLimit: {{ $v.events.volumeSize }}}
    {{- if eq $v.models.source "claim" }}
    - name: models
      persistentVolumeClaim:
        claimName: {{ $v.models.claim.name | default (printf "%s-models" (include "recolor.name" $)) }}
        readOnly: true
    {{- else if eq $v.models.source "copy" }}
    - name: models
      emptyDir: {sizeLimit: {{ $v.models.copy.size }}}
    {{- end }}
    {{- if $v.sharedMemory }}
    - name: shared-memory
      emptyDir: {medium: Memory, sizeLimit: {{ $v.sharedMemory }}}
    {{- end }}
{{- end }}

{{/* The restricted Pod Security level, and a root file system that nobody writes to. */}}
{{- define "recolor.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What differs between the tracks, and what comes from Secrets. */}}
{{- define "recolor.env" -}}
{{- $v := .root.Values -}}
- {name: RECOLOR_MODEL, value: {{ .track.model }}}
- name: RECOLOR_THREADS
  valueFrom: {resourceFieldRef: {resource: requests.cpu}}
{{- range $name, $value := .track.settings }}
- {name: {{ $name }}, value: {{ include "recolor.text" $value | quote }}}
{{- end }}
{{- with $v.auth.secret }}
- name: CALLERS_KEYS
  valueFrom: {secretKeyRef: {name: {{ . }}, key: api-keys}}
- name: METRICS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: metrics-key}}
- {name: RECOLOR_API_KEYS, value: "$(CALLERS_KEYS),$(METRICS_KEY)"}
{{- end }}
{{- range $name, $from := dict "RECOLOR_EVENTS_URL" $v.events "RECOLOR_REDIS_URL" $v.redis "RECOLOR_TEACHER_API_KEY" $v.teacher }}
{{- if $from.secret }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $from.secret }}, key: {{ $from.key }}}}
{{- end }}
{{- end }}
{{- if and $v.events.secret $v.events.userKey }}
- name: RECOLOR_EVENTS_USER_KEY
  valueFrom: {secretKeyRef: {name: {{ $v.events.secret }}, key: {{ $v.events.userKey }}}}
{{- end }}
{{- end }}
