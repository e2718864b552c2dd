"""`custody` ended by a signal at a step of one of its commits: `python -m … STEP NUMBER SIGNAL ARGUMENT…`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from ledger.cli import main
from ledger.store.log import EventLog, Step


@dataclass
class Signalled:
    """Sends this process a signal when an append reaches `step` for the `number`th time."""

    step: str
    number: int
    signal: int
    seen: int = 0

    def __call__(self, step: Step) -> None:
        """Told of each step of each append."""
        if step == self.step:
            self.seen += 1
            if self.seen == self.number:
                os.kill(os.getpid(), self.signal)


if __name__ == "__main__":
    step, number, signal, *arguments = sys.argv[1:]
    # At the class, as the log is yet to be opened by the command.
    EventLog.fault = Signalled(step, int(number), int(signal))
    sys.argv = ["custody", *arguments]
    main()
