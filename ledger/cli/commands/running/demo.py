"""The demo: a ledger made up on the spot, what is in it, what to try with it, and then it is served."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli.commands.running.serving import address, answer_requests, listening
from ledger.cli.options import Host, Port, settings_of
from ledger.cli.stopping import told_to_stop
from ledger.cli.terminal import progress, say, show_lines

if TYPE_CHECKING:
    from ledger.service import Service

DATABASE: Final = "custody.db"
ACTOR: Final = "Custody-Actor: demo-north/demo-north-1"
KINDS: Final = {
    "authority": ("authority", "authorities"),
    "facility": ("place", "places"),
    "agreement": ("agreement", "agreements"),
    "person": ("person", "people"),
    "invoice": ("invoice", "invoices"),
}
"""What is counted, by its kind in the register, and what one and many are called."""


def demo(
    people: Annotated[int, typer.Option("--people", min=1, max=2_000, help="How many people are in it.")] = 40,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep it in this folder; served again if it is there already."),
    ] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Seed a ledger with invented States, places and people, say what to try, and serve it until Ctrl-C."""
    from ledger.service import open_service

    with told_to_stop() as told, _folder(keep) as folder:
        path = folder / DATABASE
        url = f"sqlite:///{path}"
        settings = settings_of(database_url=url, host=host, port=port)
        with listening(settings.host, settings.port) as listener:
            if path.exists():
                say(f"{path} is there already and is served as it is.")
            else:
                say(f"Seeding a ledger with {people} people in {path} …")
                _seed(path, people, told)
            service = open_service(settings)
            try:
                service.views.catch_up()
                show_lines(_told(service, address(listener), url))
                answer_requests(service, listener, told.is_set)
            finally:
                service.close()
    say("Stopped.")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="custody-demo-") as name:
            yield Path(name)
    else:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep


def _seed(path: Path, people: int, told: threading.Event) -> None:
    """Make the ledger; one that was stopped half-way is removed, or it would be served as it is the next time."""
    from ledger.demo import seed
    from ledger.sources import utc_now

    others = set(path.parent.iterdir())
    try:
        with progress("Seeding") as bar:

            def count(done: int, total: int) -> None:
                if told.is_set():
                    raise KeyboardInterrupt
                bar(done, total)

            seed(f"sqlite:///{path}", people, utc_now(), count)
    except BaseException:
        for file in set(path.parent.glob(f"{path.name}*")) - others:
            file.unlink()
        raise


def _told(service: Service, url: str, database_url: str) -> list[str]:
    """What is in the ledger, and what to try with it."""
    with service.writer.reading:
        register = service.writer.register
        counts = {kind: len(list(register.ids(kind))) for kind in KINDS}
        invoices = list(register.ids("invoice"))
        files = [file for id_ in register.ids("person") if (file := register.person(id_)) is not None]
        person = next((file.person for file in files if file.head.in_custody), files[0].person)
        head = register.position
    made = ", ".join(f"{counts[kind]} {names[counts[kind] != 1]}" for kind, names in KINDS.items())
    custody = sys.argv[0] if Path(sys.argv[0]).name == "custody" else "custody"
    get = f"curl -s -H '{ACTOR}' '{url}/v1"
    tries = {
        "who is in the register": f"{get}/people?limit=5'",
        "who holds this person, where, since when": f"{get}/people/{person}/custody'",
        "where this person has been": f"{get}/people/{person}/timeline'",
        "who is in that place now": f"{get}/facilities/demo-east-1/roll'",
        "who owes whom": f"{get}/balances'",
        **_of_invoice(get, invoices),
        "what happened last, in sentences": f"{get}/audit-trail?newest_first=true&limit=5'",
        "register somebody": (
            f"curl -s -X POST -H '{ACTOR}' -H 'Content-Type: application/json' -H 'Idempotency-Key: try-1' "
            """-d '{"person":"demo-new","identity_status":"claimed","attributes":{}}' """
            f"'{url}/v1/people'"
        ),
        "what a refusal looks like": (
            f"curl -s -X POST -H '{ACTOR}' -H 'Content-Type: application/json' -H 'Idempotency-Key: try-2' "
            f"""-d '{{"authority":"demo-x","state":"NO","legal_name":"X","outside_register":false}}' """
            f"'{url}/v1/authorities'"
        ),
        "one person's record, event by event": f"{custody} audit show --person {person} --database-url {database_url}",
        "is the record whole, do the laws hold": f"{custody} audit verify --database-url {database_url}",
    }
    return [
        f"The demo ledger: {made}; {head} events. Every id in it begins demo-.",
        f"It is served on {url} and described in {url}/openapi.json; Ctrl-C ends it.",
        "",
        "Try next, in another terminal:",
        *(line for about, command in tries.items() for line in (f"  # {about}", f"  {command}")),
        "",
    ]


def _of_invoice(get: str, numbers: list[str]) -> dict[str, str]:
    if not numbers:
        return {}
    return {"why that line of an invoice is what it is": f"{get}/invoices/{numbers[0]}/lines/1/explanation'"}
