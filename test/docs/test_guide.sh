#!/bin/bash
# The code in docs/guide.md is cut from the examples, word for word, and each example does what the guide says.
#
# A block of code is marked by a comment in the line before it that names the file; without one it has at most five lines.
set -euo pipefail
: "${BUILD:?the build folder}"
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :; rm -rf "$folder"' EXIT

blocks() {
    python3 - docs/guide.md <<'PYTHON'
import re, sys

lines, failed, marked = open(sys.argv[1]).read().split("\n"), 0, 0
at = 0
while at < len(lines):
    if not lines[at].startswith("```"):
        at += 1
        continue
    end = lines.index("```", at + 1)
    block = lines[at + 1:end]
    mark = re.fullmatch(r"<!-- (examples/\w+\.c) -->", lines[at - 1])
    where = f"{sys.argv[1]}:{at + 1}"
    if mark:
        marked += 1
        source = open(mark[1]).read().split("\n")
        if not any(source[i:i + len(block)] == block for i in range(len(source))):
            print(f"{where}: not in {mark[1]} like this:", *block, sep="\n")
            failed += 1
    elif len(block) > 5:
        print(f"{where}: {len(block)} lines that no example has")
        failed += 1
    at = end + 1
print(f"{marked} blocks from examples")
sys.exit(failed > 0 or marked == 0)
PYTHON
}

same() { # NAME: what it printed is what standard input says
    diff -u - "$folder/output" || { echo "examples/$1 printed something else"; exit 1; }
}

run() { # NAME [SORT]: run an example that ends by itself
    "$BUILD/examples/$1" </dev/null >"$folder/output"
    if [ $# -gt 1 ]; then sort -o "$folder/output" "$folder/output"; fi
}

start() { # NAME ARGUMENT...: run an example that listens; its address goes to `address`
    local name=$1
    shift
    rm -f "$folder/pipe"
    mkfifo "$folder/pipe"
    "$BUILD/examples/$name" "$@" >"$folder/pipe" 2>"$folder/errors" &
    server=$!
    exec 3<"$folder/pipe"
    read -r address <&3 || { cat "$folder/errors"; exit 1; }
    address=${address#listening on }
}

blocks

run poll_loop
printf 'tick %d\n' 1 2 3 4 5 | same poll_loop

run layer
printf '%s\n' 'read: Hello from below the surface' 'closed: in order' | same layer

run events sort
printf '%s\n' 'child: exit status 3' 'signal: SIGHUP' 'thread: 500500' | same events

run backpressure
sed -i 's/[0-9]* bytes queued/N bytes queued/' "$folder/output"
echo 'received 8388608 bytes, status 0; never more than N bytes queued' | same backpressure

run hooks
sed -i 's/is cut to [0-9]* by/is cut to N by/' "$folder/output"
printf '%s\n' 'hooks: warning: the backlog of 2000000000 is cut to N by net.core.somaxconn' 'listening: yes' \
    'a backlog of 2000000000 was cut: yes' 'some blocks in use' '0 blocks at the end' | same hooks

"$BUILD/examples/vchan" "$folder/vchan" >"$folder/output"
printf '%s\n' '(Vchan_direct (1 hello)): hello, domain 2' 'closed: in order' | same vchan

start server tcp:127.0.0.1:0
"$BUILD/examples/client" "tcp:$address" "12345" >"$folder/output"
head -c 1000000 /dev/zero | "$BUILD/conduit" connect "tcp:$address" >>"$folder/output"
kill -TERM "$server"
cat <&3 >>"$folder/output"
wait "$server"
server=
printf '%s\n' '6 bytes' '1000000 bytes' '2 accepted, 2 closed, 0 aborted' | same server

head -c 5000000 /dev/urandom >"$folder/file"
start file "$folder/file" "unix:$folder/socket"
"$BUILD/conduit" connect "unix:$folder/socket" </dev/null >"$folder/copy"
cmp "$folder/file" "$folder/copy"
kill "$server"
wait "$server" 2>/dev/null || true
server=

if [ -e "$BUILD/examples/libuv.skipped" ]; then
    echo "examples/libuv was not built: $(cat "$BUILD/examples/libuv.skipped")"
else
    run libuv sort
    { printf 'conduit: tick %d\n' 1 2 3 4 5; printf 'libuv: tick %d\n' 1 2 3 4 5; } | same libuv
fi
