#!/bin/sh
# Asks for something once, in any number of attempts, with nothing but curl.
#
#     pay.sh URL JSON             makes a key, writes key and body to a file, sends until the outcome is known
#     pay.sh --resume FILE        goes on after an interruption
#
# Key and body are written down before the first byte is sent, and no answer makes a new key.
# Exit code: 0 done, 1 refused (the answer is on stdout), 3 not known yet.
set -eu

attempts=20           # then give up and say so
attempt_time=90       # seconds; longer than the route's deadline and the wait of a repeat

case "${1:-}" in
--resume) file=$2 ;;
http*)
    file=$(mktemp ./intent.XXXXXX)
    { printf '%s\n' "$1"; cat /proc/sys/kernel/random/uuid; printf '%s\n' "$2"; } > "$file"
    sync "$file"
    ;;
*)
    echo "usage: $0 URL JSON | --resume FILE" >&2
    exit 2
    ;;
esac
url=$(sed -n 1p "$file") key=$(sed -n 2p "$file")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 1,2d "$file" > "$work/body"

# Said by whoever stands in between, or by an API that did nothing.
not_now() { case "$1" in 408 | 425 | 429 | 502 | 503 | 504) true ;; *) false ;; esac }
header() { tr -d '\r' < "$work/headers" | sed -n "s/^$1: *//Ip" | tail -n 1; }

pause=1
while [ "$attempts" -gt 0 ]; do
    attempts=$((attempts - 1))
    status=$(curl --silent --max-time "$attempt_time" --output "$work/answer" --dump-header "$work/headers" \
        --write-out '%{http_code}' --header "Idempotency-Key: \"$key\"" --header 'Content-Type: application/json' \
        --data-binary "@$work/body" "$url") || status=000     # not reached or broken off: the same again
    said=$(header idempotency-status)
    case "$status" in
    000) ;;
    *)
        if grep -q '"urn:problem-type:onlyonce:' "$work/answer" 2>/dev/null; then
            # A document about the key: only these two may be automatic.
            if ! grep -Eq '"next":"(same-key|poll)"' "$work/answer"; then
                cat "$work/answer"
                echo
                rm -f "$file"
                echo "not done: $status" >&2
                exit 1
            fi
        elif [ "$said" = unknown ] || { [ "${said:-released}" = released ] && not_now "$status"; }; then
            :
        else
            cat "$work/answer"
            echo
            echo "$status${said:+ ($said)}" >&2
            rm -f "$file"
            [ "$status" -lt 400 ] && exit 0 || exit 1
        fi
        ;;
    esac
    wait=$(header retry-after 2>/dev/null || true)
    case "$wait" in '' | *[!0-9]*) wait=$pause ;; esac
    sleep "$wait"
    [ "$pause" -lt 16 ] && pause=$((pause * 2))
done
echo "not known yet; go on with: $0 --resume $file" >&2
exit 3
