# guard.sh DIRECTORY SIGNAL: waits until its input ends, which is when the test lets go of it or has died. Then it ends
# whatever works in DIRECTORY/data, which is known by its working directory also where its parent is long gone, and
# removes DIRECTORY.
trap '' HUP INT TERM

# Sends the signals to all that work there; `found` says whether any does.
all() {
    found=
    for process in /proc/[0-9]*; do
        if [ "$process/cwd" -ef "$directory/data" ]; then
            found=yes
            for signal; do kill -s "$signal" "${process#/proc/}" 2>/dev/null; done
        fi
    done
}

directory=$1
while read -r _; do :; done

# What was stopped could not end.
all CONT "$2"
tries=0
while [ -n "$found" ] && [ "$tries" -lt 200 ]; do
    sleep 0.02
    tries=$((tries + 1))
    if [ "$tries" -lt 50 ]; then all; else all KILL; fi
done
rm -rf "$directory"
