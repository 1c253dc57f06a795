#!/usr/bin/env bash
# Runs a command with the value of a key, and again whenever the key has changed: watch.sh KEY COMMAND [ARGUMENT…]
#
# The command gets the value on its standard input. A look costs one short request: while nothing has changed, the
# answer is 304 without the value. Of several changes between two looks only the last one is seen.
# QUORATE_URL is a node or a router.
set -euo pipefail

url=${QUORATE_URL:-http://127.0.0.1:7801}
key=${1:?usage: watch.sh KEY COMMAND [ARGUMENT…]}
shift
headers=$(mktemp)
value=$(mktemp)
trap 'rm -f "$headers" "$value"' EXIT
trap 'exit 0' INT TERM

tag='""' was_absent=''
while :; do
    status=$(curl --silent --output "$value" --dump-header "$headers" --write-out '%{http_code}' --max-time 6 \
        -H "If-None-Match: $tag" "$url/v1/kv/$key") || status=000 # Also what was cut off is no answer.
    case $status in
    200)
        tag=$(sed -n 's/^etag: *\("[0-9]*"\).*/\1/Ip' "$headers") was_absent=''
        "$@" <"$value" || echo "watch.sh: the command ended with $?" >&2
        ;;
    404)
        [[ -n $was_absent ]] || echo "watch.sh: there is no key $key" >&2
        tag='""' was_absent=yes
        ;;
    304) ;;
    # What is in use stays in use while nobody can be asked.
    *) echo "watch.sh: the node answers $status" >&2 ;;
    esac
    sleep 0.5
done
