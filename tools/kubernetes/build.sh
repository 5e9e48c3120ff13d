#!/usr/bin/env bash
# Makes .tools/bin/kustomize and kubeconform, and .tools/schemas with the JSON Schemas of what the manifests
# use, taken from the type definitions of these releases.
set -euo pipefail
cd "$(dirname "$0")/../.."

KUBERNETES=k8s.io/kubernetes@v1.35.0
EVENTING=knative.dev/eventing@v0.50.0
SERVING=knative.dev/serving@v0.51.0
PROMETHEUS=github.com/prometheus-operator/prometheus-operator@v0.85.0

if ! command -v go >/dev/null; then
  echo "No Go to build kustomize and kubeconform with: install Go >= 1.26." >&2
  exit 1
fi
echo "kustomize and kubeconform: building, once; about 20 s"
mkdir -p .tools/bin
(
  cd tools/kubernetes
  go build -o ../../.tools/bin/kustomize sigs.k8s.io/kustomize/kustomize/v5
  go build -o ../../.tools/bin/kubeconform github.com/yannh/kubeconform/cmd/kubeconform
)
folder_of() { (cd tools/kubernetes && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'; }
node_modules/.bin/node tools/kubernetes/schemas.ts .tools/schemas \
  "$(folder_of $KUBERNETES)/api/openapi-spec/swagger.json" \
  "$(folder_of $EVENTING)/config/core/resources" \
  "$(folder_of $SERVING)/config/core/300-resources" \
  "$(folder_of $PROMETHEUS)/example/prometheus-operator-crd"
touch .tools/schemas/.ready
