"""A primary and its synchronous standby, two servers that change places: the commands are those of docs/failover.md.

Each server keeps its port and its folder through all changes, as machines do. The binaries are those of the wheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import psutil  # type: ignore[import-untyped]  # it comes without types
import psycopg
from psycopg import sql

from tests.engines import SETTINGS, memory_folder, new_cluster
from tests.ports import free_port
from tests.shared_data import REPOSITORY

PAGE: Final = (REPOSITORY / "docs" / "failover.md").read_text("utf-8")
BLOCKS: Final[dict[str, str]] = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
DATABASE: Final = "custody"
SECONDS_MAX: Final = 60
"""No block takes longer."""
LISTENING: Final = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One server: where its data are and where it listens."""

    data: Path
    port: int

    def conninfo(self) -> str:
        """How its administrator connects."""
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"


class Pair:
    """`primary` takes writes and waits for `standby`, unless one of them has just been lost."""

    def __init__(self, home: Path) -> None:
        """The first primary, alone."""
        self.primary = Machine(data=home / "one", port=free_port())
        self.standby = Machine(data=home / "two", port=free_port())
        self._tools = new_cluster(self.primary.data)
        self._hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        with (self.primary.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS + LISTENING)
        self.run(BLOCKS["settings"], {"PRIMARY_DATA": str(self.primary.data)})
        start = f'pg_ctl start --pgdata="{self.primary.data}" --log="{self.primary.data}/server.log" --wait'
        self.run(f'{start} --options="-p {self.primary.port}"', {})
        self.create_database(DATABASE)

    def url(self, database: str = DATABASE, *, only: Machine | None = None) -> str:
        """The address of a database on whichever of the two takes writes, or on the one named."""
        if only is not None:
            return f"postgresql://postgres@127.0.0.1:{only.port}/{database}"
        return f"postgresql://postgres@{self._hosts}/{database}?target_session_attrs=read-write"

    def create_database(self, name: str) -> None:
        """One more database, with nothing in it."""
        self.administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def administer(self, *statements: sql.Composed | LiteralString) -> None:
        """Run statements on the primary, as its administrator."""
        with psycopg.connect(self.primary.conninfo(), autocommit=True) as server:
            for statement in statements:
                server.execute(statement)

    def attach(self) -> None:
        """Make the standby anew from the primary; from the return on every commit waits for it."""
        shutil.rmtree(self.standby.data, ignore_errors=True)
        self._do("standby")
        self.synchronise()

    def synchronise(self) -> None:
        """Have every commit wait for the standby, from the return on."""
        self._do("synchronous")

    def kill(self) -> None:
        """End the primary as the loss of its machine would: all of its processes, at once."""
        for process in self._processes(self.primary):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """The standby answers nothing, as one that the network has cut off; it goes on at the end."""
        processes = self._processes(self.standby)
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """The standby is gone and is sent nothing; it starts again at the end."""
        self.run(BLOCKS["fence"], {"PRIMARY_DATA": str(self.standby.data)})
        try:
            yield
        finally:
            _copied, started = BLOCKS["standby"].splitlines()
            self.run(started, self._variables())

    def promote(self) -> None:
        """The standby takes the primary's place."""
        self._do("promote")
        self.primary, self.standby = self.standby, self.primary

    def stop(self) -> None:
        """Stop whatever runs."""
        for machine in (self.primary, self.standby):
            self.run(BLOCKS["fence"], {"PRIMARY_DATA": str(machine.data)}, must=False)

    def _processes(self, machine: Machine) -> list[psutil.Process]:
        postmaster = psutil.Process(int((machine.data / "postmaster.pid").read_text().split()[0]))
        return [postmaster, *postmaster.children(recursive=True)]

    def _do(self, block: str) -> None:
        """Run a block of the page."""
        self.run(BLOCKS[block], self._variables())

    def _variables(self) -> dict[str, str]:
        """What the page's blocks are given."""
        return {
            "PRIMARY": self.primary.conninfo(),
            "STANDBY": self.standby.conninfo(),
            "STANDBY_DATA": str(self.standby.data),
            "STANDBY_PORT": str(self.standby.port),
        }

    def run(self, script: str, variables: Mapping[str, str], *, must: bool = True) -> str:
        """What a script prints that is run with the server's tools, as whom the servers run; it `must` end well."""
        # Into a file and not a pipe: a server that is started keeps it open.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            done = subprocess.run(
                ["bash", "-euc", script],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd="/",
                user=self._tools.user,
                env={**os.environ, "PATH": f"{self._tools.folder}{os.pathsep}{os.environ['PATH']}", **variables},
                timeout=SECONDS_MAX,
                check=False,
            )
            said.seek(0)
            text = said.read()
        assert done.returncode == 0 or not must, f"{script}\n{text}"
        return text


@contextmanager
def pair() -> Iterator[Pair]:
    """A primary and its synchronous standby in a temporary folder; stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="custody-pair-", dir=memory_folder()))
    try:
        two = Pair(home)
        try:
            two.attach()
            yield two
        finally:
            two.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
