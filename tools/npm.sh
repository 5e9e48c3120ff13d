#!/usr/bin/env bash
# Installs the npm packages, and says every ten seconds that it still does.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/patience.sh
if ! command -v npm >/dev/null; then
  echo "No npm on PATH: install Node 22 or newer, which brings it." >&2
  exit 1
fi
echo "npm packages: installing; about 20 s"
npm ci --no-audit --no-fund --loglevel=error &
wait_with_words $! "npm packages: installing"
