# Sourced by scripts of this folder: waits for the background process $1, and says every ten seconds that $2.
wait_with_words() {
  local pid=$1 words=$2 started=$SECONDS
  trap 'kill "$pid" 2>/dev/null || true' EXIT
  while kill -0 "$pid" 2>/dev/null; do
    for _ in $(seq 100); do sleep 0.1; kill -0 "$pid" 2>/dev/null || break; done
    kill -0 "$pid" 2>/dev/null && echo "$words for $((SECONDS - started)) s"
  done
  wait "$pid"
  trap - EXIT
}
