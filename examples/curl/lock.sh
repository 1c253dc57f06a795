#!/usr/bin/env bash
# Runs a command while holding a lock: lock.sh NAME COMMAND [ARGUMENT…]
#
# The same lock as in ../src/lock.rs, which says what it promises: the key lock/NAME, written anew twice a second
# by its holder, and removed by those who wait when it has not changed for three seconds. The command finds the
# holder's token in LOCK_TOKEN. QUORATE_URL is a node or a router.
set -euo pipefail

url=${QUORATE_URL:-http://127.0.0.1:7801}
patience_s=3
name=${1:?usage: lock.sh NAME COMMAND [ARGUMENT…]}
shift
if [[ ! $name =~ ^[A-Za-z0-9._-]+$ ]]; then
    echo "lock.sh: a name has letters, digits, '.', '_' and '-'" >&2
    exit 2
fi
export LOCK_KEY=lock/$name
holder="process $$"
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

# What the last answer says in a header.
header() { sed -n "s/^$1: *\"\{0,1\}\([0-9]*\).*/\1/Ip" "$headers"; }

# One request about the lock; prints the status, 000 if there was no answer.
about_lock() {
    curl --silent --output /dev/null --dump-header "$headers" --write-out '%{http_code}' --max-time 2 \
        "$@" "$url/v1/kv/$LOCK_KEY?timeout=1s" || true
}

# Does one operation if the lock is still ours, in one step.
fenced() {
    local ours='{"key":"'$LOCK_KEY'","create_revision":{"equal":"'$LOCK_TOKEN'"}}'
    curl --silent --max-time 0.5 --data '{"compare":['"$ours"'],"success":['"$1"']}' "$url/v1/txn?timeout=1s"
}

seen='' since=$SECONDS
# Counted from before the request: those who wait count from when they see what it has written.
while asked=$SECONDS status=$(about_lock -X PUT -H 'If-None-Match: *' --data-binary "$holder") && [[ $status != 201 ]]; do
    if [[ $status == 412 ]]; then
        revision=$(header etag)
        if [[ $revision != "$seen" ]]; then
            seen=$revision since=$SECONDS
        elif ((SECONDS - since > patience_s)); then
            # Refused if the holder has shown itself meanwhile. Whoever then comes first has the lock.
            about_lock -X DELETE -H "If-Match: \"$revision\"" >/dev/null
            continue
        fi
    else
        echo "lock.sh: the node answers $status" >&2
    fi
    sleep 0.2
done
LOCK_TOKEN=$(header quorate-revision)
export LOCK_TOKEN
echo "$LOCK_KEY is held by $holder with token $LOCK_TOKEN" >&2

"$@" &
command=$!

# Renews the lock as long as this script lives, and kills the command when the lock is lost, or may be before long.
renew() {
    local renewed=$asked asked answer
    # Half a second of sleep and half a second for the request: what is counted in whole seconds stays within three.
    while sleep 0.5; do
        kill -0 $$ 2>/dev/null || exit 0
        asked=$SECONDS
        answer=$(fenced '{"put":{"key":"'"$LOCK_KEY"'","value":"'"$holder"'"}}' || true)
        case $answer in
        *'"succeeded":true'*) renewed=$asked ;;
        *'"succeeded":false'*) break ;;
        esac
        ((SECONDS - renewed < patience_s - 1)) || break
    done
    echo "lock.sh: the lock was lost, and the command is killed" >&2
    kill -KILL "$command"
}
renew &
renewal=$!

code=0
wait "$command" || code=$?
kill "$renewal" 2>/dev/null || true
fenced '{"delete":{"key":"'"$LOCK_KEY"'"}}' >/dev/null || echo "lock.sh: the lock is left to time out" >&2
exit "$code"
