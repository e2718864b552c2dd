"""The writer watched: what it did is counted once a batch, and told where an operator would want to know."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.observing.lines import logger
from ledger.observing.tally import Writing
from ledger.store.log import DatabaseUnreachable
from ledger.writer.submission import Answer, Foreseen, Group, Outcome, Refused

_log = logger()


class WriterWatch:
    """What a writer tells, each from its own thread; `tally` has the numbers."""

    def __init__(self) -> None:
        self.tally = Writing()

    def judged(self, groups: Sequence[Group], outcomes: Sequence[Sequence[Outcome]]) -> None:
        """A batch is decided, and what was granted is durable."""
        commands, count = self.tally.commands, 0
        for group, told in zip(groups, outcomes, strict=True):
            for item, outcome in zip(group.submissions, told, strict=True):
                commands[item.rule.command.name, outcome_name(outcome)] += 1
                count += 1
        self.tally.batches.add(count)

    def committed(self, events: int, position: int, seconds: float) -> None:
        """Rows have become durable, up to `position`."""
        self.tally.commits.add(seconds)
        _log.debug("batch committed", events=events, position=position, ms=round(seconds * 1000, 1))

    def beaten(self, position: int) -> None:
        """Another process was first with a position."""
        _log.info("another process was first; the batch is decided again", position=position)

    def failed(self, fault: Exception) -> None:
        """Nothing can be recorded, or not at present. An exception's message may quote what was sent."""
        if not isinstance(fault, DatabaseUnreachable):
            _log.error("a batch could not be decided", error=type(fault).__name__)
        elif not self.tally.is_out:
            self.tally.is_out = True
            self.tally.outages += 1
            _log.error("the database is unreachable", reason=fault.reason)

    def not_pictured(self, fault: Exception) -> None:
        """The register's picture could not be kept."""
        _log.warning("the register's picture was not kept; the next start takes longer", error=type(fault).__name__)

    def caught_up(self, position: int) -> None:
        """The register stands at the head."""
        if self.tally.is_out:
            self.tally.is_out = False
            _log.warning("the database is back", position=position)


def outcome_name(outcome: Outcome) -> str:
    """An outcome in a word, or the code of the refusal."""
    if isinstance(outcome, Answer):
        return "replayed" if outcome.replayed else "recorded"
    if isinstance(outcome, Refused):
        return outcome.refusal.code
    return "foreseen" if isinstance(outcome, Foreseen) else "withheld"
