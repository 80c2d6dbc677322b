# The tests, run by domain 0. Each is a line "ok" or "not ok"; the last line says how many there were.
# shellcheck shell=sh disable=SC2086,SC2030,SC2031

count=0
PORT=p

stamp() {
    read -r seconds _ </proc/uptime
    echo "=== [$seconds s] $*"
}

# report STATUS NAME: one more result; what the parts of a failed test have said follows it.
report() {
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count $2"
    else
        echo "not ok $count $2"
        sed 's/^/#   /' /tmp/server /tmp/client 2>/dev/null
    fi
    rm -f /tmp/server /tmp/client
}

# on DOMAIN COMMAND: runs it there. dies DOMAIN COMMAND: it must end by SIGKILL.
on() {
    if [ "$1" = 0 ]; then
        timeout 25 sh -c "$2"
    else
        peer run "$1" 25 "$2"
    fi
}

dies() {
    on "$1" "$2"
    [ $? = 137 ]
}

# pair NAME SERVER CLIENT: two commands at the same time, both of which must succeed.
pair() {
    eval "$2" >/tmp/server 2>&1 &
    eval "$3" >/tmp/client 2>&1
    status=$?
    wait $! || status=1
    report $status "$1"
}

# part PROGRAM server|client SERVER CLIENT SCENARIO...: its command line, for the domain that runs it.
part() {
    program=$1 role=$2 server=$3 client=$4
    shift 4
    [ $role = server ] && other=$client || other=$server
    case $program in
    suite) echo "suite $role $other $PORT $*" ;;
    peer) echo "peer $role $other /local/domain/$server/data/vchan/$client/$PORT $*" ;;
    esac
}

# ---- the same for all pairs of domains and programs ------------------------------------------------

# both NAME SERVER CLIENT SERVER-PROGRAM CLIENT-PROGRAM SCENARIO...
both() {
    name=$1 s=$2 c=$3 sp=$4 cp=$5
    shift 5
    pair "$name" "on $s '$SERVER_ENV $(part $sp server $s $c "$@")'" \
        "on $c '$CLIENT_ENV $(part $cp client $s $c "$@")'"
}

# both_are NAME SERVER CLIENT SERVER-PROGRAM CLIENT-PROGRAM SERVER-SCENARIO CLIENT-SCENARIO
both_are() {
    pair "$1" "on $2 '$(part $4 server $2 $3 $6)'" "on $3 '$(part $5 client $2 $3 $7)'"
}

# leaves NAME SERVER CLIENT SERVER-PROGRAM CLIENT-PROGRAM server|client close|kill: one of them does.
leaves() {
    name=$1 s=$2 c=$3 sp=$4 cp=$5 who=$6 how=$7
    [ $how = kill ] && run=dies || run=on
    if [ $who = server ]; then
        pair "$name" "$run $s '$(part $sp server $s $c $how)'" "on $c '$(part $cp client $s $c survive)'"
    else
        pair "$name" "on $s '$(part $sp server $s $c survive)'" "$run $c '$(part $cp client $s $c $how)'"
    fi
}

matrix() { # SERVER CLIENT
    for programs in "suite suite" "suite peer" "peer suite"; do
        at="domain $1 to $2, ${programs% *} to ${programs#* }"
        both "$at: bulk" $1 $2 $programs bulk 256
        SERVER_ENV=RING=65536 both "$at: bulk through 64 KiB" $1 $2 $programs bulk 1024
        SERVER_ENV=RING=1048576 both "$at: bulk through 1 MiB" $1 $2 $programs bulk 4096
        both "$at: echo" $1 $2 $programs echo 100
        for who in server client; do
            for how in close kill; do
                leaves "$at: $how by the $who" $1 $2 $programs $who $how
            done
        done
        case $programs in
        "suite peer") both_are "$at: a ring that cannot be" $1 $2 $programs spoiled spoil ;;
        "peer suite") both_are "$at: a ring that cannot be" $1 $2 $programs spoil spoiled ;;
        esac
    done
}

# ---- what our library does besides ------------------------------------------------------------------

# differ SERVER CLIENT PORT OTHER: two places do not lead to the same ring.
differ() {
    place=/local/domain/$1/data/vchan/$2
    [ "$(xenstore read $place/$3/ring-ref)" != "$(xenstore read $place/$4/ring-ref)" ]
}

ours() { # SERVER CLIENT
    at="domain $1 to $2"
    SERVER_ENV=CLIENTS=8 CLIENT_ENV=CLIENTS=8 both "$at: 8 clients at once" $1 $2 suite suite echo 10
    SERVER_ENV="CLIENTS=4 ACTIVE=1" CLIENT_ENV=CLIENTS=4 \
        both "$at: 4 clients, served one at a time" $1 $2 suite suite echo 10
    client=$(part peer client $1 $2 echo 10)
    pair "$at: 3 clients of libxenvchan in turn" "on $1 'CLIENTS=3 $(part suite server $1 $2 echo 10)'" \
        "on $2 '$client && $client && $client'"
    pair "$at: a late server" "sleep 0.5; on $1 '$(part suite server $1 $2 echo 10)'" \
        "on $2 '$(part suite client $1 $2 echo 10)'"
    pair "$at: a late server of libxenvchan" "sleep 0.5; on $1 '$(part peer server $1 $2 echo 10)'" \
        "on $2 '$(part suite client $1 $2 echo 10)'"
    dies $1 "$(part suite server $1 $2 kill)" >/tmp/server 2>&1 &
    on $2 "$(part suite client $1 $2 survive)" >/tmp/client 2>&1
    wait
    pair "$at: a client finds the keys of a killed server" \
        "sleep 0.5; on $1 '$(part suite server $1 $2 echo 10)'" "on $2 '$(part suite client $1 $2 echo 10)'"
    dies $1 "$(part suite server $1 $2 kill)" >/tmp/server 2>&1 &
    on $2 "$(part suite client $1 $2 survive)" >/tmp/client 2>&1
    wait
    other=$(PORT=q && part suite client $1 $2 echo 10)
    pair "$at: a client is not led to another server that has a killed one's numbers" \
        "on $1 'CLIENTS=2 $(PORT=q && part suite server $1 $2 echo 10)'" \
        "on $2 '$other' && differ $1 $2 p q && on $2 '$(part suite client $1 $2 nobody) && $other'"
    both "$at: and back at its own port" $1 $2 suite suite echo 10
    ! xenstore exists /local/domain/$1/data/vchan/$2/$PORT
    report $? "$at: a server leaves no keys"
    PORT=nobody
    on $2 "$(part suite client $1 $2 nobody)" >/tmp/client 2>&1
    report $? "$at: a client that finds nobody"
    PORT=a-name-that-is-as-long-as-the-name-of-a-port-is-allowed-to-be-1
    both "$at: a long name" $1 $2 suite suite echo 10
    PORT=p
}

names() { # SERVER CLIENT
    at="domain $1 to $2, by name"
    SERVER_ENV="NAME=n CLIENTS=3" CLIENT_ENV="NAME=n CLIENTS=3" both "$at" $1 $2 suite suite echo 10
    pair "$at: a late server" "sleep 0.5; on $1 'NAME=n $(part suite server $1 $2 echo 10)'" \
        "on $2 'NAME=n $(part suite client $1 $2 echo 10)'"
    served "$at: the program" $1 vchan:n/c $2 "$hello vchan:n/c >/tmp/out"
    ! xenstore exists /conduit/n
    report $? "$at: a server leaves no name"
}

# The program, as people use it. served NAME SERVER SERVE-OPTIONS CLIENT COMMAND: the server ends in order
# when the client has.
served() {
    pair "$1" "on $2 'conduit serve -q $3 & echo \$! >/tmp/served; wait \$!'" \
        "on $4 'timeout 10 sh -c \"$5\"'; served=\$?; on $2 'kill \$(cat /tmp/served)'; (exit \$served)"
}

hello="rm -f /tmp/out; (echo hello; until grep -q hello /tmp/out; do sleep 0.1; done) | conduit connect"

program() { # SERVER CLIENT
    at="domain $1 to $2, conduit serve to connect"
    tls="--ca /etc/certificate.pem --server-name conduit.test"
    served "$at: source" $1 "--source 300000 vchan:$2/c" $2 \
        "mkfifo -m 600 /tmp/never; test \\\$(conduit connect vchan:$1/c <>/tmp/never | wc -c) = 300000"
    served "$at: echo" $1 "vchan:$2/c" $2 "$hello vchan:$1/c >/tmp/out"
    served "$at: TLS" $1 "--cert /etc/certificate.pem --key /etc/key.pem tls+vchan:$2/t" $2 \
        "$hello $tls tls+vchan:$1/t >/tmp/out"
}

# One port has the pages of one ring, and the next is made when the first client has left.
grants() {
    limit=/sys/module/xen_gntalloc/parameters/limit
    RING=65536 suite server 0 g grants >/tmp/server 2>&1
    report $? "all memory that can be granted, and back"
    usual=$(cat $limit)
    echo 40 >$limit
    SERVER_ENV="RING=65536 CLIENTS=2" CLIENT_ENV=CLIENTS=2 \
        both "no memory for a second client until the first has left" 0 0 suite suite echo 10
    echo $usual >$limit
}

# ---- guests -------------------------------------------------------------------------------------------

guest() { # NAME
    cat >/tmp/$1.cfg <<END
name = "$1"
type = "pv"
kernel = "/guest/vmlinux"
ramdisk = "/guest/guest.cpio"
memory = 192
extra = "console=hvc0 mitigations=off loglevel=4 rdinit=/init"
on_poweroff = "destroy"
END
    xl create -q /tmp/$1.cfg || cat /var/log/xen/*.log
}

await() { # COMMAND: up to 20 seconds
    tries=0
    until eval "$1" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || return 1
        sleep 0.1
    done
}

# ends HOW GUEST COMMAND: one flow in each direction loses its peer's domain.
ends() {
    rm -f /tmp/ready1 /tmp/ready2
    on $2 "suite server 0 h1 hold & suite client 0 h2 hold" >/dev/null 2>&1 &
    READY=/tmp/ready1 suite client $2 h1 lost >/tmp/client 2>&1 &
    first=$!
    READY=/tmp/ready2 suite server $2 h2 lost >/tmp/server 2>&1 &
    second=$!
    await "test -e /tmp/ready1 && test -e /tmp/ready2"
    eval "$3"
    wait $first
    first=$?
    wait $second
    second=$?
    report $first "$1: what our client sees"
    report $second "$1: what our server sees"
}

stamp "domain 0 alone"
matrix 0 0
ours 0 0
names 0 0
program 0 0
grants

pair "rings of an impossible size are not attached to" \
    "on 0 'ODD=/tmp/odd timeout 3 $(part peer server 0 0 echo 1); true'" \
    "await 'test -e /tmp/odd' && on 0 '$(part suite client 0 0 nobody)'"

stamp "guests"
guest u1
guest u2
u1=$(xl domid u1)
u2=$(xl domid u2)
await "xenstore exists /local/domain/$u1/data/ready && xenstore exists /local/domain/$u2/data/ready"
report $? "two guests are up"
stamp "domain 0 and a guest"
# Domain 0 lets guests register names.
xenstore write /conduit ""
xenstore chmod /conduit b0
for domains in "0 $u1" "$u1 0"; do
    matrix $domains
    ours $domains
    names $domains
    program $domains
done
stamp "two guests"
both "guest to guest: bulk" $u1 $u2 suite suite bulk 256
both "guest to guest: echo" $u2 $u1 suite peer echo 100
names $u1 $u2
stamp "the end of guests"
ends "a domain is destroyed" $u1 "xl destroy $u1"
ends "a domain powers off" $u2 "on $u2 'poweroff -f' & sleep 0"
stamp "over"
tail -n 20 /var/log/xen/console/*.log
echo "tests: $count"
