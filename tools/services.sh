#!/bin/sh
# Services that tests need: started where they are installed but down, and ended again.
#   services.sh start   prints what it has started
#   services.sh stop NAME...
set -u

postgres_answers() {
    for _ in 1 2 3; do
        pg_isready -q -h 127.0.0.1 -p 5432 && return 0
        sleep 1
    done
    return 1
}

newest_cluster() {
    pg_lsclusters -h 2>/dev/null | awk '$3 == 5432 { print $1, $2 }' | tail -n 1
}

rabbitmq_answers() {
    for _ in 1 2 3; do
        python3 -c 'import socket; socket.create_connection(("127.0.0.1", 5672), 3)' 2>/dev/null && return 0
        sleep 1
    done
    return 1
}

start_rabbitmq() {
    # Apart from this shell: nobody waits for what it prints.
    rabbitmq-server -detached >/dev/null 2>&1 </dev/null
    for _ in 1 2 3 4 5; do
        rabbitmqctl -q await_startup --timeout 60 >/dev/null 2>&1 && return 0
        sleep 2
    done
    return 1
}

case ${1:-} in
start)
    if command -v pg_ctlcluster >/dev/null 2>&1 && ! postgres_answers; then
        # shellcheck disable=SC2046 -- two words: version and name
        pg_ctlcluster $(newest_cluster) start >&2 && echo postgres
    fi
    if command -v rabbitmqctl >/dev/null 2>&1 && ! rabbitmq_answers; then
        start_rabbitmq && echo rabbitmq
    fi
    ;;
stop)
    shift
    for name in "$@"; do
        case $name in
        postgres)
            # shellcheck disable=SC2046 -- as above
            pg_ctlcluster $(newest_cluster) stop -m fast >&2
            ;;
        rabbitmq)
            rabbitmqctl -q shutdown >&2
            # Erlang's table of nodes stays else; it refuses while there is another node.
            epmd -kill >&2
            ;;
        esac
    done
    ;;
*)
    echo "services.sh start, or stop NAME..." >&2
    exit 2
    ;;
esac
exit 0
