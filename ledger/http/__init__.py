"""The service over HTTP: one thin path for commands, ordinary routes for all that is read (RFC 9110, RFC 9457)."""
