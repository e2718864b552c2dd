"""Follow a ledger and keep each event once, as a line of a file; started again, it goes on where the file ends.

    follow.py ADDRESS AUTHORITY/OFFICER FILE [LAST]

Needs nothing but Python. Ends behind the position LAST, or never.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

SILENCE_SECONDS = 45  # three signs of life missed


def position_in(file: Path) -> int:
    """The last position in the file; a line that was not finished is cut off first."""
    if not file.exists():
        return 0
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        file.write_bytes(whole)
    return int(json.loads(whole.splitlines()[-1])["position"]) if whole else 0


def events(address: str, actor: str, after: int) -> Iterator[str]:
    """The documents behind a position, each as soon as it is recorded, until the connection is lost."""
    headers = {"Custody-Actor": actor, "Accept": "text/event-stream", "Last-Event-ID": str(after)}
    ask = Request(f"{address}/v1/events/stream", headers=headers)  # noqa: S310  who runs it gives the address
    with urlopen(ask, timeout=SILENCE_SECONDS) as answer:  # noqa: S310  the same
        for line in answer:
            # Each event has one line of data; `id` and `event` repeat its position and type.
            if line.startswith(b"data: "):
                yield line.decode().removeprefix("data: ").rstrip("\n")


def follow(address: str, actor: str, file: Path, last: int | None) -> None:
    """Append event by event; connect again two seconds after a connection was lost."""
    after = position_in(file)
    while last is None or after < last:
        try:
            for document in events(address, actor, after):
                position = json.loads(document)["position"]
                if position != after + 1:
                    sys.exit(f"position {after + 1} is missing")
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(document + "\n")
                after = position
                if after == last:
                    return
        except HTTPError as error:
            # 503 passes: the ledger is busy, or has not come so far. Anything else is for a person to read.
            if error.code != 503:
                sys.exit(error.read().decode())
        except (URLError, OSError):
            pass
        time.sleep(2)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    follow(sys.argv[1].rstrip("/"), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) == 5 else None)
