#!/usr/bin/env bash
# Builds the container image with the engine that is there; ENGINE=name takes another one.
set -euo pipefail
cd "$(dirname "$0")/.."

# Each says so in its own way when it cannot work here, for example a docker without its daemon.
for engine in ${ENGINE:-podman docker buildah}; do
  if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
    exec "$engine" build --file Containerfile --build-arg "VERSION=$(node -p 'require("./package.json").version')" --tag "$1" .
  fi
done
echo "Neither podman, nor a docker engine that runs, nor buildah: there is nothing to build the image with." >&2
exit 1
