#!/bin/sh
# Fetches the sessions of ids.txt. A later run continues where this one ended.
set -eu
cd "${RAYDOCS_JOB:-/var/lib/raydocs}"
said=$(mktemp)
trap 'rm -f "$said"' EXIT

for _ in 1 2 3 4 5 6; do
    code=0
    raydocs-async fetch -i ids.txt -o sessions.jsonl -e errors.jsonl --resume --wait 3600 \
        --token-file token --quiet --summary summary.json >"$said" 2>&1 || code=$?
    test "$code" -eq 75 || break
    sleep "${RAYDOCS_PAUSE:-600}"
done
test "$code" -eq 0 || cat "$said"
exit "$code"
