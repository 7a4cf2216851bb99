"""The style sheet of the reports' pages; recipes that write pages of their own share it and the table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

#: Style sheet of a page.
STYLE = """
:root { --ink: #1d2733; --soft: #5b6875; --line: #e3e7eb; --accent: #0b6e99; --paper: #ffffff; --ground: #f4f6f8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.55 "Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 80px; }
header p.kind { margin: 0; color: var(--soft); font-size: 12px; letter-spacing: .09em; text-transform: uppercase; }
h1 { font-size: 28px; line-height: 1.2; margin: 4px 0 6px; }
h2 { font-size: 19px; margin: 0 0 4px; }
p { margin: 0 0 10px; } p.lead { color: var(--soft); max-width: 78ch; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 22px 26px;
  margin-top: 22px; }
.headline { display: grid; grid-template-columns: minmax(230px, 300px) 1fr; gap: 30px; align-items: center; }
.big { font-size: 58px; line-height: 1; font-weight: 650; letter-spacing: -.02em; color: var(--accent); }
.big small { font-size: 25px; font-weight: 500; }
.interval { font-size: 15px; color: var(--soft); margin: 8px 0 14px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 22px; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; font-size: 23px; font-weight: 620; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 12.5px; }
figure { margin: 12px 0 0; } svg { max-width: 100%; height: auto; display: block; margin: 0 auto; }
figcaption { color: var(--soft); font-size: 12.5px; text-align: right; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 22px; } .two section { margin-top: 22px; }
.headline > *, .two > * { min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 13.5px; margin-top: 10px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 550; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 11em; position: sticky; left: 0;
  background: var(--paper); }
tr.own td, tr.own td:first-child { background: #eaf4f9; font-weight: 620; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 16px; font-size: 12.5px; color: var(--soft); margin-top: 8px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
details summary { cursor: pointer; color: var(--accent); margin-top: 10px; }
.example { margin-top: 20px; } .example h3 { font-size: 14px; margin: 0 0 2px; }
.example .text { color: var(--soft); font-size: 14px; } audio { width: 100%; height: 34px; margin-top: 4px; }
.track { position: relative; } .head { position: absolute; top: 0; bottom: 12%; width: 1.5px; background: #c2410c;
  pointer-events: none; display: none; }
ul.notes { margin: 6px 0 0; padding-left: 18px; } ul.notes li { margin: 3px 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 10px 0 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: 12.5px; margin-top: 26px; }
@media (max-width: 860px) { .headline, .two { grid-template-columns: 1fr; } .tiles { grid-template-columns: 1fr 1fr; } }
@media (max-width: 620px) { main { padding: 20px 10px 40px; } section { padding: 16px 14px; }
  th:first-child, td:first-child { min-width: 8em; }
  figure { overflow-x: auto; } figure svg, .track { min-width: 600px; }
  .two figure svg { min-width: 0; } }
@media print { body { background: #fff; } section, .tile { break-inside: avoid; } audio { display: none; } }
"""


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]], own: str | None = None) -> str:
    """An HTML table; the row whose first cell is ``own`` stands out."""
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    lines = []
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f'<tr class="own">{cells}</tr>' if row[0] == own else f"<tr>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
