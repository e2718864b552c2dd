"""The picture of growth: three lines over the length of the log, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from pathlib import Path
from typing import Final

from bench.growth import Grown

PICTURE: Final = Path(__file__).with_name("growth.svg")
WIDTH: Final = 640
PANEL: Final = 150
LEFT: Final = 70
RIGHT: Final = 20
TOP: Final = 34


def draw(growth: Sequence[Grown]) -> None:
    """Write `bench/growth.svg`; each panel begins at nought, so that flat looks flat."""
    panels = (
        ("processor time a command, µs", [each.processor_us for each in growth]),
        ("start with a snapshot, seconds", [each.start_seconds for each in growth]),
        ("memory a start takes, MiB", [each.memory_mb for each in growth]),
    )
    events = [each.events for each in growth]
    parts = [_panel(number * PANEL, title, events, values) for number, (title, values) in enumerate(panels)]
    height = PANEL * len(panels) + 10
    PICTURE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n",
        encoding="utf-8",
    )


def _panel(offset: int, title: str, events: Sequence[int], values: Sequence[float]) -> str:
    highest = max(values) * 1.2 or 1.0
    bottom = offset + PANEL - 22

    def point(count: int, value: float) -> tuple[float, float]:
        first, last = log10(events[0]), log10(events[-1])
        along = (log10(count) - first) / (last - first) if last > first else 0.0
        return LEFT + along * (WIDTH - LEFT - RIGHT), bottom - value / highest * (PANEL - TOP - 22)

    points = [point(count, value) for count, value in zip(events, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#24557a"/>'
        f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{value:g}</text>'
        f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" fill="#666">{count:,}</text>'
        for (x, y), value, count in zip(points, values, events, strict=True)
    ]
    return (
        f'<text x="{LEFT}" y="{offset + 16}" font-weight="bold">{title}</text>'
        f'<line x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}" stroke="#999"/>'
        f'<polyline points="{line}" fill="none" stroke="#24557a" stroke-width="2"/>' + "".join(marks)
    )
