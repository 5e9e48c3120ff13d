#!/usr/bin/env bash
# Installs the npm packages, and says every ten seconds that it still does.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null; then
  echo "No npm on PATH: install Node 22 or newer, which brings it." >&2
  exit 1
fi
echo "npm packages: installing; about 20 s"
started=$SECONDS
npm ci --no-audit --no-fund --loglevel=error &
install=$!
trap 'kill "$install" 2>/dev/null || true' EXIT
while kill -0 "$install" 2>/dev/null; do
  for _ in $(seq 100); do sleep 0.1; kill -0 "$install" 2>/dev/null || break; done
  kill -0 "$install" 2>/dev/null && echo "npm packages: installing for $((SECONDS - started)) s"
done
wait "$install"
trap - EXIT
