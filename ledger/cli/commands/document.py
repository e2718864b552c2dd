"""The OpenAPI document on the command line: what a server of this version answers at `/openapi.json`."""

from __future__ import annotations

import json
from typing import Final

from ledger.cli.options import settings_of

IN_MEMORY: Final = "sqlite:///:memory:"


def openapi() -> None:
    """Print the OpenAPI document of this version, as JSON; it asks no database and no server."""
    from ledger.genesis import open_epoch
    from ledger.http.app import create_api
    from ledger.service import open_service
    from ledger.store import open_log

    # The document is the application's, and an application stands on a ledger: an empty one, that nobody sees.
    log = open_log(IN_MEMORY, create=True)
    open_epoch(log, origin="localhost/custody/document", registrar="nobody", state="NO", officer="nobody")
    settings = settings_of(database_url=IN_MEMORY, environment="development", auth="none")
    service = open_service(settings, run_views=False, log=log)
    try:
        document = create_api(service).openapi()
    finally:
        service.close()
    # Exactly as it is committed, so that the two can be compared.
    print(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True))
