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

case ${1:-} in
start)
    if command -v pg_ctlcluster >/dev/null 2>&1 && ! postgres_answers; then
        # shellcheck disable=SC2046 -- two words: version and name
        pg_ctlcluster $(newest_cluster) start >&2 && echo postgres
    fi
    ;;
stop)
    shift
    for name in "$@"; do
        # shellcheck disable=SC2046 -- as above
        [ "$name" = postgres ] && pg_ctlcluster $(newest_cluster) stop -m fast >&2
    done
    ;;
*)
    echo "services.sh start, or stop NAME..." >&2
    exit 2
    ;;
esac
exit 0
