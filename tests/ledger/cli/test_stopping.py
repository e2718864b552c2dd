"""Being told to stop, by signals to this very process."""

from __future__ import annotations

import signal

import pytest

from ledger.cli.stopping import told_to_stop

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
