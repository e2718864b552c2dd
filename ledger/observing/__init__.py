"""The running ledger as it can be watched from outside: lines of log, and numbers that are counted.

Neither holds a personal value, a body, a submitted value or an idempotency key (TRUST §16.11): what may stand in a line
is chosen where it is written, never taken from a request as it came.
"""
