"""Being told to stop, by signals to this very process."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from ledger.cli.stopping import told_to_stop
from tests.shared_data import REPOSITORY

BOTH = (signal.SIGTERM, signal.SIGINT)


@pytest.mark.parametrize("second", BOTH)
@pytest.mark.parametrize("first", BOTH)
def test_the_first_signal_is_noted_and_the_second_cuts_off(first: signal.Signals, second: signal.Signals) -> None:
    handlers = [signal.getsignal(number) for number in BOTH]
    with told_to_stop() as told:
        assert not told.is_set()
        signal.raise_signal(first)
        assert told.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
    assert [signal.getsignal(number) for number in BOTH] == handlers


MEETS_ITS_OWN_LOCK = """
import signal
from ledger.cli.stopping import told_to_stop

with told_to_stop() as told, told._cond:
    signal.raise_signal(signal.SIGTERM)
print(told.wait(60))
"""


def test_a_signal_that_meets_the_thread_in_the_midst_of_waiting_for_it_is_noted() -> None:
    command = [sys.executable, "-c", MEETS_ITS_OWN_LOCK]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"
