#!/bin/sh
# Each room includes only the rooms it may know; programs include only public headers.
set -u
failed=0
check() { # FOLDER FORBIDDEN-ROOMS
    if grep -nE "^ *# *include *\"($2)/" "$1"/*.[ch] 2>/dev/null; then
        echo "$1 must not include these"
        failed=1
    fi
}
check reactor 'flows|tls|vchan|resolve|context'
check flows 'tls|vchan|resolve|context'
check tls 'vchan|resolve|context'
check vchan 'tls|resolve|context'
check resolve 'flows|tls|vchan|context'
for programs in tools examples bench bench/load bench/peers; do check $programs 'reactor|flows|tls|vchan|resolve|context'; done
exit $failed
