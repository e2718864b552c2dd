#!/bin/sh
# Have every commit wait for the standby; ends when it does. $PRIMARY finds the one of the two that takes writes.
set -eu
PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
export PGPASSWORD
psql "$PRIMARY" -Xqc "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()"
until [ "$(psql "$PRIMARY" -XAtc "SHOW synchronous_standby_names")" = '*' ]; do sleep 0.1; done
psql "$PRIMARY" -Xqc CHECKPOINT
until [ "$(psql "$PRIMARY" -XAtc "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")" = 1 ]; do sleep 0.1; done
