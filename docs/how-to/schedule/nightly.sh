#!/bin/sh
# Fetches the sessions of ids.txt. A later run continues where this one ended.
set -eu
cd "${RAYDOCS_JOB:-/var/lib/raydocs}"

for _ in 1 2 3 4 5 6; do
    code=0
    raydocs-async fetch -i ids.txt -o sessions.jsonl -e errors.jsonl --resume --wait 3600 \
        --token-file token --quiet --summary summary.json || code=$?
    test "$code" -eq 75 || exit "$code"
    sleep "${RAYDOCS_PAUSE:-600}"
done
exit 75
