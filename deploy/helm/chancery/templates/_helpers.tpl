{{- define "chancery.selector" -}}
app.kubernetes.io/name: chancery
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "chancery.labels" -}}
{{ include "chancery.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "chancery.issuer" -}}
{{ required "issuer is required: the public URL, such as https://id.example.com" .Values.issuer }}
{{- end }}

{{/* The path of the issuer: every endpoint is below it. */}}
{{- define "chancery.path" -}}
{{ trimSuffix "/" (urlParse (include "chancery.issuer" .)).path }}
{{- end }}
