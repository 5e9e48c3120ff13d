#!/usr/bin/env bash
# Makes .tools/python, a virtual environment with tools/requirements.txt. Without Python the one test that
# wants it says so and is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=.tools/python
READY=$TARGET/.ready

mkdir -p "$TARGET"
if ! python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "python: none >= 3.10 with venv on PATH; the CloudEvents SDK for Python is not tried"
elif ! { python3 -m venv "$TARGET" && "$TARGET/bin/pip" install --quiet --disable-pip-version-check -r tools/requirements.txt; }; then
  rm -rf "$TARGET/bin"
  echo "python: the CloudEvents SDK could not be installed, so it is not tried"
fi
touch "$READY"
