#!/usr/bin/env bash
# One tick of a dispatcher in shell, in the steps of the system before this one (docs/performance.md):
# bd, curl and jq, one bead a tick. BEADBOARD_URL says where BeadBoard is; bd finds its workspace in the
# current folder. Only for comparison: it can claim a bead twice.
set -euo pipefail

busy=$(curl -fsS "$BEADBOARD_URL/api/agent-status" | jq -r .busy)
[ "$busy" = false ] || exit 0

id=$("$BD" query 'assignee=agent AND status=open' --json |
  jq -r '[.[] | select((.acceptance_criteria // "") != "")] | sort_by(.priority, .updated_at) | .[0].id // empty')
[ -n "$id" ] || exit 0

"$BD" update "$id" -s in_progress >/dev/null
"$BD" note "$id" "auto-dispatcher claimed at $(date -u +%Y-%m-%dT%H:%M:%SZ)" >/dev/null
answer=$(curl -sS -w '\n%{http_code}' -H 'content-type: application/json' \
  -d "$(jq -cn --arg id "$id" '{taskId: $id}')" "$BEADBOARD_URL/api/agent-dispatch")
code=${answer##*$'\n'}
body=${answer%$'\n'*}
if [ "$code" = 200 ]; then
  "$BD" note "$id" "dispatched: job=$(jq -r .job_id <<<"$body")" >/dev/null
else
  "$BD" update "$id" -s open >/dev/null
  "$BD" note "$id" "dispatch failed HTTP $code: $body" >/dev/null
  exit 1
fi
