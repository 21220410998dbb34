"""A chart of bars for the README: an SVG of a few lines, readable on white and on black."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from attrs import frozen

WIDTH = 760
LABELS = 300
"""Of the width, for what each bar is of."""

FIGURES = 70
"""Of the width, for the figure behind the longest bar."""

ROW, GAP, TITLE = 24, 18, 26

STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}"
    "rect{fill:#8c959f}.ours{fill:#0969da}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#6e7681}.ours{fill:#4493f8}}"
)


@frozen
class Bar:
    label: str
    value: float
    ours: bool


@frozen
class Bars:
    """Bars of one unit, under one title."""

    title: str
    bars: tuple[Bar, ...]


def chart(groups: Sequence[Bars]) -> str:
    """Return the text of an SVG file."""
    shown = [group for group in groups if group.bars]
    height = sum(TITLE + GAP + ROW * len(group.bars) for group in shown)
    told = "; ".join(f"{bar.label}: {_figure(bar.value)}" for group in shown for bar in group.bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>{escape(told)}</title>",
        f"<style>{STYLE}</style>",
        *_drawn(shown),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _drawn(groups: Sequence[Bars]) -> Iterator[str]:
    top = 0
    for group in groups:
        yield _text(0, top + TITLE - 8, group.title, "title")
        top += TITLE
        longest = max(bar.value for bar in group.bars) or 1.0
        for bar in group.bars:
            width = max(1, round(bar.value / longest * (WIDTH - LABELS - FIGURES)))
            middle = top + ROW - 8
            yield _text(LABELS - 8, middle, bar.label, anchor="end")
            ours = ' class="ours"' if bar.ours else ""
            yield f'<rect{ours} x="{LABELS}" y="{top + 3}" width="{width}" height="{ROW - 6}" rx="2"/>'
            yield _text(LABELS + width + 6, middle, _figure(bar.value))
            top += ROW
        top += GAP


def _text(x: int, y: int, said: str, kind: str = "", anchor: str = "") -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in (("class", kind), ("text-anchor", anchor)) if value)
    return f'<text x="{x}" y="{y}"{attributes}>{escape(said)}</text>'


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
