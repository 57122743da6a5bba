"""Reports of a study as one HTML file: text, tables and plots as SVG inside it. It loads nothing, runs nothing, and the same content gives
the same bytes."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from io import StringIO
from typing import Final, TypeAlias

import matplotlib
from matplotlib.figure import Figure

COLOURS: Final = ("#0b6e99", "#d1603d", "#5b8c3a", "#7b5ea7", "#a8821a", "#4d4d4d")
"""For lines and bars, in this order; told apart by those who see no red or no green."""

Cell: TypeAlias = str | int | float | None

_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 60rem; color: #1c2b33; background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-top: .5rem; border-top: 2px solid #0b6e99; }
p { margin: .5rem 0; max-width: 46rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d8e0e4; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #9fb3bd; }
td.number, th.number { text-align: right; white-space: nowrap; }
figure { margin: 1rem 0; break-inside: avoid; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { font-size: .88rem; color: #46565e; max-width: 46rem; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


class Report:
    """Collects what a report says, from top to bottom."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = []
        self._plots = 0

    def section(self, heading: str, text: str = "") -> None:
        """Begins a section. Blank lines in the text separate paragraphs."""
        self._parts.append(f"<h2>{escape(heading)}</h2>")
        self.text(text)

    def text(self, text: str) -> None:
        """Adds paragraphs, separated by blank lines."""
        paragraphs = (" ".join(each.split()) for each in re.split(r"\n\s*\n", text))
        self._parts += [f"<p>{escape(each)}</p>" for each in paragraphs if each]

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Adds a table; columns of numbers are set to the right. None is shown as a dash. Raises ValueError for a row of another length."""
        told = [list(row) for row in rows]
        if any(len(row) != len(headers) for row in told):
            raise ValueError(f"every row must have {len(headers)} cells")
        numeric = [bool(told) and all(_is_number(row[column]) for row in told) for column in range(len(headers))]
        head = "".join(_cell("th", header, number) for header, number in zip(headers, numeric, strict=True))
        body = "".join(
            f"<tr>{''.join(_cell('td', _shown(cell), number) for cell, number in zip(row, numeric, strict=True))}</tr>\n"
            for row in told
        )
        self._parts.append(f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>')

    def plot(self, figure: Figure, caption: str) -> None:
        """Adds a plot; the caption stands below it and is what a screen reader reads out."""
        self._plots += 1
        label = escape(" ".join(caption.split()), quote=True)
        svg = _svg(figure, f"plot{self._plots}", label)
        self._parts.append(f"<figure>{svg}<figcaption>{label}</figcaption></figure>")

    def html(self) -> str:
        """Returns the whole file."""
        title = escape(self._title)
        body = "\n".join(self._parts)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
            f"<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
        )


def figure(width: float = 7.5, height: float = 3.6) -> Figure:
    """Returns an empty figure of this size in inches, without the global state of pyplot."""
    return Figure(figsize=(width, height), layout="constrained")


def _svg(drawn: Figure, prefix: str, label: str) -> str:
    """Returns the figure as an SVG element, without dates; ids begin with `prefix`, because all plots share one document."""
    with matplotlib.rc_context({"svg.hashsalt": prefix, "svg.fonttype": "none"}):
        text = StringIO()
        drawn.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(
        r'(url\(#|href="#)([^")]+)',
        lambda found: f"{found[1]}{prefix}-{found[2]}" if found[2] in ids else found[0],
        svg,
    )
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()


def _is_number(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _shown(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool | str):
        return str(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.4g}"


def _cell(tag: str, text: str, number: bool) -> str:
    marked = ' class="number"' if number else ""
    scope = ' scope="col"' if tag == "th" else ""
    return f"<{tag}{scope}{marked}>{escape(text)}</{tag}>"
