#!/bin/sh
# Every function that the reactor and the flows call and that is not their own can be made to fail, or
# the file `wrapped` says why it need not.
set -u
objects=$BUILD/obj
known=$(sed -n 's/^#- .*: *$//; s/^#- *//p; /^[a-z]/p' "${0%/*}/wrapped" | tr -s ' ' '\n')
nm=${CROSS:-}nm
own=$("$nm" --defined-only -j "$objects"/reactor/*.o "$objects"/flows/*.o) || exit 1
[ -n "$own" ] || { echo "no objects in $objects"; exit 1; }
unknown=$("$nm" -u -j "$objects"/reactor/*.o "$objects"/flows/*.o | sort -u |
    grep -vxF "$own" | grep -vxF "$known" |
    grep -vE '^$|:$|^_GLOBAL_OFFSET_TABLE_$|^__(asan|ubsan|tsan|gcov|sanitizer|stack_chk)|^_Unwind')
[ -z "$unknown" ] || { echo "not in test/fault/wrapped:"; echo "$unknown"; exit 1; }
