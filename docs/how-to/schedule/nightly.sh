#!/bin/sh
# Fetches the sessions of ids.txt. A later run continues where this one ended.
set -eu
cd "${RAYDOCS_JOB:-/var/lib/raydocs}"
said=$(mktemp)
trap 'rm -f "$said"' EXIT

for left in 5 4 3 2 1 0; do
    code=0
    raydocs-async fetch -i ids.txt -o sessions.jsonl -e errors.jsonl --resume --wait 3600 \
        --token-file token --quiet --summary summary.json >"$said" 2>&1 || code=$?
    if test "$code" -ne 75 || test "$left" -eq 0; then
        break
    fi
    sleep "${RAYDOCS_PAUSE:-600}"
done
test "$code" -eq 0 || cat "$said"
exit "$code"
