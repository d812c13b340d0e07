"""The headline of each work as horizontal bars, on a scale of powers of ten, in SVG that is written by hand."""

import math
from html import escape

from bench.plan import HEADLINES, SUBJECTS, TITLES
from bench.results import Results, Spread

WIDTH, LEFT, RIGHT, BAR, GAP = 900, 130, 90, 16, 6
COLOURS = {"penstock": "#0b6e99", "penstock-pg": "#4c9fc1", "floor": "#999999"}
OTHER = "#d08a3c"


def plot(results: Results) -> str:
    parts: list[str] = []
    y = 34.0
    for work in TITLES:
        panel, height = _panel(results, work, y)
        parts.append(panel)
        y += height
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="10" y="20" font-size="14" font-weight="bold">Median of each work, with minimum and maximum '
        "(logarithmic)</text>"
    )
    return "\n".join([head, *parts, "</svg>\n"])


def _panel(results: Results, work: str, top: float) -> tuple[str, float]:
    figure, more = HEADLINES[work]
    found = [(name, results.spread(work, name, figure)) for name in SUBJECTS]
    bars = [(name, spread) for name, spread in found if spread is not None]
    if not bars:
        return "", 0.0
    low = 10 ** math.floor(math.log10(max(min(spread.least for _, spread in bars), 1e-3)) - 0.01)
    high = max(low * 10, *(spread.most for _, spread in bars))
    better = "more is better" if more else "less is better"
    lines = [
        f'<text x="10" y="{top + 14:.0f}" font-weight="bold">{work}: {escape(TITLES[work])}</text>',
        f'<text x="{WIDTH - 10}" y="{top + 14:.0f}" text-anchor="end" fill="#555">{figure}, {better}</text>',
    ]
    for index, (name, spread) in enumerate(bars):
        lines.append(_bar(name, spread, top + 22 + index * (BAR + GAP), low, high))
    return "\n".join(lines), 22 + len(bars) * (BAR + GAP) + 16


def _bar(name: str, spread: Spread, top: float, low: float, high: float) -> str:
    def x(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    middle = top + BAR / 2
    colour = COLOURS.get(name, OTHER)
    return (
        f'<text x="{LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">{name}</text>'
        f'<rect x="{LEFT}" y="{top:.1f}" width="{max(x(spread.median) - LEFT, 1):.1f}" height="{BAR}" fill="{colour}"/>'
        f'<line x1="{x(spread.least):.1f}" x2="{x(spread.most):.1f}" y1="{middle:.1f}" y2="{middle:.1f}" '
        f'stroke="#222" stroke-width="1.5"/>'
        f'<text x="{x(spread.most) + 6:.1f}" y="{middle + 4:.1f}">{spread.median:,.4g}</text>'
    )
