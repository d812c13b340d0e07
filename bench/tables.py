"""How figures are shown, and the tables of works that are done in several sizes."""

from bench.plan import COMPARED, SIZE_TITLES, SIZED_SUBJECTS
from bench.results import Results, Spread


def number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}" if value < 0.1 else f"{value:.2f}"


def shown(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.least == spread.most:
        return f"**{number(spread.median)}**"
    return f"{number(spread.least)} / **{number(spread.median)}** / {number(spread.most)}"


def sized(results: Results, work: str) -> str:
    """One table for each subject: a line for each figure, a column for each size."""
    parts = [f"## {work}: {SIZE_TITLES[work]}\n"]
    for name in SIZED_SUBJECTS:
        if name in results.subjects(work):
            parts += _table(results, work, name)
    return "\n".join(parts)


def _table(results: Results, work: str, name: str) -> list[str]:
    sizes = results.sizes(work, name)
    figures = list(dict.fromkeys(figure for one in results.of(work, name) for figure in one.figures))
    lines = [f"| {name} | {' | '.join(f'{size:,}' for size in sizes)} |", "|---" * (1 + len(sizes)) + "|"]
    for figure in figures:
        cells: list[str] = []
        for size in sizes:
            cell = shown(results.sized(work, name, size, figure))
            if figure in COMPARED[work] and size != sizes[0] and (times := results.growth(work, name, size, figure)):
                cell += f" (× {number(times.median)})"
            cells.append(cell)
        lines.append(f"| {figure} | {' | '.join(cells)} |")
    return [*lines, ""]
