"""The command line `custody`: one module a group of commands, and nothing heavy imported before a command runs."""

from __future__ import annotations


def main() -> None:
    """Run the command that the process was started with; never returns."""
    from ledger.cli.program import program

    program()
