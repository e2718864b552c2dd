#!/bin/sh
# Run by the image in the first primary's new folder, once; a standby gets all of it with its copy.
set -eu
echo 'host replication all samenet scram-sha-256' >> "$PGDATA/pg_hba.conf"
cat >> "$PGDATA/postgresql.conf" <<'END'
wal_retrieve_retry_interval = 500ms
wal_log_hints = on
END
