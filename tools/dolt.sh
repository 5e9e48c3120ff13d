#!/usr/bin/env bash
# Makes .tools/bin/dolt: the dolt on PATH when it is new enough, else one built from tools/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/patience.sh

WANTED=1.88.1 # the version of tools/go.mod, on which the claim was measured
TARGET=.tools/bin/dolt

at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
version_of() { "$1" version 2>/dev/null | sed -n 's/^dolt version \([0-9][0-9.]*\).*/\1/p'; }

if [ -x "$TARGET" ]; then
  has=$(version_of "$TARGET")
  if [ -n "$has" ] && at_least "$has" "$WANTED"; then exit 0; fi
fi
mkdir -p .tools/bin
if found=$(command -v dolt); then
  has=$(version_of "$found")
  if [ -n "$has" ] && at_least "$has" "$WANTED"; then
    ln -sf "$found" "$TARGET"
    echo "dolt $has: the one on PATH"
    exit 0
  fi
fi
if ! command -v go >/dev/null; then
  echo "No dolt >= $WANTED on PATH and no Go to build one: install dolt (docs.dolthub.com) or Go >= 1.26 with a C compiler." >&2
  exit 1
fi

if ! command -v "${CC:-cc}" >/dev/null; then
  echo "No C compiler (${CC:-cc}) to build dolt with: install one, such as gcc, or dolt >= $WANTED (docs.dolthub.com)." >&2
  exit 1
fi

echo "dolt: building $WANTED with $(go version | cut -d' ' -f3), once; about 3 minutes on two cores and 165 MB"
started=$SECONDS
(cd tools && CGO_ENABLED=1 go build -tags gms_pure_go -o ../"$TARGET".new github.com/dolthub/dolt/go/cmd/dolt) &
wait_with_words $! "dolt: building"
mv "$TARGET.new" "$TARGET"
echo "dolt $(version_of "$TARGET"): built in $((SECONDS - started)) s"
