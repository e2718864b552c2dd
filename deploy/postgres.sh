#!/bin/sh
# One of two PostgreSQL servers that change places. What it is follows from what it finds: an empty folder becomes the
# standby of the other server where that is a primary, and a ledger's first primary only where FIRST=yes says so.
#
# PGDATA, POSTGRES_USER and POSTGRES_PASSWORD_FILE are the image's; PEER is the other server's host, PEER_PORT its port.
set -eu

PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
export PGPASSWORD
PRIMARY="host=$PEER port=${PEER_PORT:-5432} user=$POSTGRES_USER dbname=postgres connect_timeout=2"

peer_is_primary() {
    [ "$(psql "$PRIMARY" -XAtc 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]
}

if [ -s "$PGDATA/PG_VERSION" ]; then
    if [ ! -e "$PGDATA/standby.signal" ] && peer_is_primary; then
        echo "$PEER has taken over. Remove this server's data, and it becomes the standby." >&2
        exit 1
    fi
elif peer_is_primary; then
    pg_basebackup --dbname="$PRIMARY" --pgdata="$PGDATA" --checkpoint=fast --wal-method=stream --write-recovery-conf
    chmod 700 "$PGDATA"
elif [ "${FIRST:-no}" != yes ]; then
    echo "$PEER is no primary yet, and this server is not the first." >&2
    exit 1
fi
exec docker-entrypoint.sh postgres
