#!/bin/sh
# Starts a built program as the image does: tools/start.sh dispatch. Says what is missing.
cd "$(dirname "$0")/.." || exit 1
program="dist/$1.cjs"
if [ ! -f "$program" ]; then
  echo "$program is not built yet: run make build" >&2
  exit 1
fi
NODE_COMPILE_CACHE=dist/.compile-cache NODE_OPTIONS=--max-semi-space-size=2 exec node "$program"
