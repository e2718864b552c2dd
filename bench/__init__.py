"""What the ledger costs beside what a user would pick instead, on one machine in interleaved rounds (`make bench`).

Absolute figures move with the machine and its neighbours; the ratios of one run are what counts. No test looks here.
"""
