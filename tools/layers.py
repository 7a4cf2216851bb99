"""Draw which part of the package imports which, read from the code, as an SVG: docs/layers.svg.

Run as ``python tools/layers.py [FILE.svg]``.
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vqspeech"
#: What everything imports, and what nothing is to be read off.
_GROUND = {
    "counts",
    "errors",
    "files",
    "pipes",
    "ranges",
    "stderr_notes",
    "yaml_text",
    "npy",
    "torchaudio_import",
    "__init__",
    "__main__",
}
_WIDTH, _HEIGHT, _GAP = 132, 34, 92


def parts() -> dict[str, set[str]]:
    """Part of the package -> the parts that its files import, without the ground floor."""
    found: dict[str, set[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "vqspeech":
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vqspeech."):
                names.add(node.module.split(".")[1])
            elif isinstance(node, ast.Import):
                names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("vqspeech.")}
        if part not in _GROUND:
            found.setdefault(part, set()).update(names - _GROUND - {part})
    return {part: below & found.keys() for part, below in found.items()}


def levels(graph: dict[str, set[str]]) -> list[list[str]]:
    """Rows of parts, each importing from lower rows only; the lowest first."""
    depth: dict[str, int] = {}

    def of(part: str) -> int:
        if part not in depth:
            depth[part] = 1 + max((of(below) for below in graph[part]), default=-1)
        return depth[part]

    rows: list[list[str]] = [[] for _ in range(1 + max(map(of, graph)))]
    for part in graph:
        rows[depth[part]].append(part)
    return rows


def svg(graph: dict[str, set[str]]) -> str:
    """The drawing: an arrow from each part to what it imports."""
    rows = levels(graph)[::-1]
    width = max(len(row) for row in rows) * (_WIDTH + 18) + 18
    place = {
        part: (18 + (width - 36) * (column + 0.5) / len(row), 30 + line * _GAP)
        for line, row in enumerate(rows)
        for column, part in enumerate(row)
    }
    drawn = [
        f'<path d="M{place[part][0]:.0f} {place[part][1] + _HEIGHT / 2:.0f} '
        f'L{place[below][0]:.0f} {place[below][1] - _HEIGHT / 2 - 4:.0f}" stroke="#9aa5b1" fill="none" '
        'marker-end="url(#head)"/>'
        for part, imported in graph.items()
        for below in sorted(imported)
    ]
    for part, (x, y) in place.items():
        drawn.append(
            f'<rect x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" '
            f'fill="#eef3f8" stroke="#46637f"/><text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" '
            f'font-family="sans-serif" font-size="14" fill="#1d2b38">{escape(part)}</text>'
        )
    height = 30 + len(rows) * _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="which part of the package imports which"><defs><marker id="head" viewBox="0 0 8 8" refX="7" '
        'refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#9aa5b1"/></marker>'
        "</defs>" + "".join(drawn) + "</svg>\n"
    )


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "layers.svg"
    target.write_text(svg(parts()), encoding="utf-8")
    print(target)
