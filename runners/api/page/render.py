"""Render: templates into HTML. What is not ours is escaped, and a name that a template lacks is an error.

A page is made of parts, and an update of those parts that differ from what the browser has: it says which by
their marks, hashes of what is drawn. Both come from the same templates, so the page has one face.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from runners.api.page.bars import HEIGHT, WIDTH, segments, share
from runners.api.page.words import Times, code, span, usd
from runners.model.groups import TRUST

MARK_HEX = 12


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a page, as an update sends it."""

    name: str
    html: str
    mark: str


class Renderer:
    """Draws pages and parts. One for each app: templates are compiled once."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("runners.api.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            usd=usd,
            span=span,
            code=code,
            segments=segments,
            share=share,
            WIDTH=WIDTH,
            HEIGHT=HEIGHT,
            TRUST=TRUST,
        )

    def page(self, template: str, now: float, **values: Any) -> str:
        """A whole page, complete without scripts."""
        return self._draw(template, Times(now, live=False), values)

    def parts(self, names: Iterable[str], now: float, values: Mapping[str, Any]) -> tuple[Part, ...]:
        """Parts for an update."""
        times = Times(now, live=True)
        return tuple(self._part(name, times, values) for name in names)

    def _part(self, name: str, times: Times, values: Mapping[str, Any]) -> Part:
        html = self._draw(f"parts/{name}.html", times, values)
        mark = hashlib.sha256(f"{name}\0{html}".encode()).hexdigest()[:MARK_HEX]
        return Part(name, html, mark)

    def _draw(self, template: str, times: Times, values: Mapping[str, Any]) -> str:
        clocks = {"since": times.since, "until": times.until, "clock": times.clock}
        return self._environment.get_template(template).render(values, **clocks)
