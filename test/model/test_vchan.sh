#!/bin/bash
# Checks the model of the vchan ring (vchan.pml) with spin: the protocol as it is, with several
# sizes and bells, and that each fault that can be put into it is found.
set -u
cd "$(dirname "$0")" || exit 1
for tool in spin gcc; do
    command -v $tool >/dev/null || { echo "there is no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check EXPECTED NAME -DOPTION...: whether spin finds errors
check() {
    local expected=$1 name=$2 found
    shift 2
    (
        cd "$work" && rm -f ./pan* ./*.trail &&
            spin -a "$@" "$OLDPWD/vchan.pml" >spin.log 2>&1 &&
            gcc -O1 -w -DSAFETY -DMEMLIM=1024 -o pan pan.c && ./pan -m1000000 >pan.log 2>&1
    )
    found=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$work/pan.log")
    if grep -q 'error: max search depth\|Search not completed\|out of memory' "$work/pan.log" &&
        [ "$expected" = none ]; then
        found=incomplete
    fi
    printf '%-40s %s errors, %s states\n' "$name" "${found:-?}" \
        "$(sed -n 's/ *\([0-9]*\) states, stored.*/\1/p' "$work/pan.log")"
    case $expected:$found in
    none:0 | some:[1-9]*) ;;
    *)
        failed=1
        echo "expected: $expected"
        cat "$work/spin.log" "$work/pan.log"
        ;;
    esac
}

for size in 2 3 4; do
    check none "ring of $size, event channel" -DSIZE=$size -DBYTES=$((size + 2))
    check none "ring of $size, socket" -DSIZE=$size -DBYTES=$((size + 2)) -DMASKS=0
done
for fault in WITHOUT_BARRIER WITHOUT_SECOND_LOOK END_AT_ONCE BELL_AT_HALF_ONLY ACKNOWLEDGE_WISHES \
    TAKEN_AWAY END_BEFORE_BELL SHORT_MEANS_OPEN; do
    check some "fault: $fault" -D$fault
done
exit $failed
