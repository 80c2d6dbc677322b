#!/bin/sh
# The shared library exports cdt_* only and carries its soname.
set -u
library=$BUILD/libconduit.so
exported=$("${CROSS:-}nm" -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }') || exit 1
[ -n "$exported" ] || { echo "$library exports nothing"; exit 1; }
failed=0
if echo "$exported" | grep -v '^cdt_'; then echo "$library exports these"; failed=1; fi
"${CROSS:-}objdump" -p "$library" | grep -q "SONAME *libconduit\.so\.${CDT_VERSION%%.*}\$" ||
    { echo "$library has another soname"; failed=1; }
exit $failed
