"""What an audit finds: a check by name, how much it looked at, and each thing that is not as it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Progress = Callable[[str, int, int], None]
"""Called now and then with a stage's name, how much of it is done, and how much there is."""


def quiet(_stage: str, _done: int, _total: int) -> None:
    """The progress nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation: of which law, about whom, at which positions, what was expected and what was found.

    `open` findings are known and lawful differences: they are listed and break nothing.
    """

    law: str
    subject: str
    positions: tuple[int, ...] = ()
    instant: str | None = None
    expected: str
    found: str
    open: bool = False

    def document(self) -> dict[str, object]:
        """The finding as JSON shows it."""
        return {
            "law": self.law,
            "subject": self.subject,
            "positions": list(self.positions),
            "instant": self.instant,
            "expected": self.expected,
            "found": self.found,
            "open": self.open,
        }


@dataclass(slots=True, kw_only=True)
class Check:
    """One check: its code, what it says when it holds, how many things it looked at, and what it found.

    A check that this deployment does not keep yet looks at nothing and says so. `note` is what a reader of the result
    should know beside it.
    """

    code: str
    title: str
    looked_at: int = 0
    kept: bool = True
    findings: list[Finding] = field(default_factory=list)
    note: str | None = None

    def look(self, findings: Iterable[Finding]) -> None:
        """Count one more thing looked at, and keep what was found."""
        self.looked_at += 1
        self.findings.extend(findings)

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return all(finding.open for finding in self.findings)

    @property
    def result(self) -> str:
        """`holds`, `broken` or `not kept yet`."""
        return "not kept yet" if not self.kept else "holds" if self.holds else "broken"

    def document(self) -> Mapping[str, object]:
        """The check as JSON shows it."""
        return {
            "check": self.code,
            "title": self.title,
            "looked_at": self.looked_at,
            "result": self.result,
            "note": self.note,
            "findings": [finding.document() for finding in self.findings],
        }
