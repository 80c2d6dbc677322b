#!/bin/bash
# The code in README.md is examples/echo.c, word for word; that server answers; no link of the documents is broken.
#
# The example's port is fixed. So it runs in a network namespace of its own where that is allowed, else on the
# machine's port if nobody has it.
set -euo pipefail
: "${BUILD:?the build folder}"
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :; rm -rf "$folder"' EXIT

texts() {
    awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$folder/README.c"
    diff -u examples/echo.c "$folder/README.c"
    for document in README.md CHANGELOG.md docs/guide.md docs/performance.md; do
        while read -r link; do
            [ -e "$(dirname "$document")/$link" ] || { echo "$document: no such file: $link"; exit 1; }
        done < <(grep -o '](\([^):#]*\))' "$document" | sed 's/^](//; s/)$//')
    done
    for target in demo test deps help install bench bench-page budget; do
        grep -q "^$target:" Makefile || { echo "README.md, docs/performance.md: no target $target in the Makefile"; exit 1; }
    done
    for mark in '<!-- measured -->' '<!-- /measured -->'; do
        [ "$(grep -cxF -- "$mark" docs/performance.md)" = 1 ] || { echo "docs/performance.md: not one line $mark"; exit 1; }
    done
}

# The loopback interface of a new namespace is down.
loopback_up() {
    python3 -c 'import fcntl, socket, struct
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1)) # SIOCSIFFLAGS, IFF_UP'
}

answers() {
    "$BUILD/examples/echo" >"$folder/output" &
    server=$!
    until answer=$("$BUILD/examples/client" tcp:127.0.0.1:7777 "a line" 2>"$folder/error"); do
        kill -0 "$server" 2>/dev/null || return 1
    done
    [ "$answer" = "a line" ] &&
        head -c 3000000 /dev/urandom >"$folder/input" &&
        "$BUILD/conduit" connect tcp:127.0.0.1:7777 <"$folder/input" >"$folder/back" &&
        cmp "$folder/input" "$folder/back"
}

if [ "${1:-}" != inside ]; then
    texts
    for unshare in "unshare -n" "unshare -rn"; do
        if $unshare "$0" inside can 2>/dev/null; then
            $unshare "$0" inside
            exit
        fi
    done
    python3 -c 'import socket; socket.create_server(("", 7777))' 2>/dev/null || {
        echo "port 7777 is in use here, and network namespaces are not allowed"
        exit 77
    }
else
    loopback_up
    [ "${2:-}" != can ] || exit 0
fi
answers || {
    cat "$folder/error" "$folder/output"
    exit 1
}
