#!/usr/bin/env bash
# Increments a counter, and prints each new value: counter.sh KEY TIMES
#
# Each increment writes the next number on the condition that the key has not changed since it was read. Requests
# that were not answered are sent again under the same number of a session, so that none is done twice.
# QUORATE_URL is a node or a router.
set -euo pipefail

url=${QUORATE_URL:-http://127.0.0.1:7801}
key=${1:?usage: counter.sh KEY TIMES}
times=${2:?usage: counter.sh KEY TIMES}
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

session=$(curl --silent --fail --data '{"ttl_ms":60000}' "$url/v1/sessions" | sed 's/.*"session":"\([0-9]*\)".*/\1/')
sequence=0

# Repeats a request until its outcome is known, and prints the status.
until_answered() {
    local status
    while :; do
        status=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 6 "$@" "$url/v1/kv/$key" || true)
        case $status in
        000 | 408 | 429 | 503 | 504) sleep 0.2 ;;
        *)
            echo "$status"
            return
            ;;
        esac
    done
}

increment() {
    local value condition status
    while :; do
        # An answer that was cut off is none: its head would be right, and its number not.
        if ! value=$(curl --silent --dump-header "$headers" --max-time 6 "$url/v1/kv/$key"); then
            sleep 0.2
            continue
        fi
        case $(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$headers") in
        200) condition="If-Match: $(sed -n 's/^etag: *\("[0-9]*"\).*/\1/Ip' "$headers")" ;;
        404) condition='If-None-Match: *' value=0 ;;
        *)
            sleep 0.2
            continue
            ;;
        esac
        if [[ ! $value =~ ^[0-9]+$ ]]; then
            echo "counter.sh: $key is no counter" >&2
            exit 1
        fi
        value=$((10#$value + 1)) # Not octal, whatever it begins with.
        sequence=$((sequence + 1))
        status=$(until_answered -X PUT -H "$condition" -H "Idempotency-Key: $session:$sequence" \
            -H "Quorate-Acknowledged-Below: $sequence" --data-binary "$value")
        case $status in
        20?)
            echo "$value"
            return
            ;;
        412) ;; # Somebody was faster.
        *)
            echo "counter.sh: the node answers $status" >&2
            exit 1
            ;;
        esac
    done
}

for ((done = 0; done < times; done++)); do
    increment
done
curl --silent --fail -X DELETE "$url/v1/sessions/$session"
