"""Tables of the page that ``vqspeech results`` writes, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Found = Mapping[str, Any]
#: Figure -> what the page calls it, what it is multiplied by, its unit.
Figures = dict[str, tuple[str, float, str]]

#: The system itself, among those that stand beside it.
OURS = "**these codes**"
#: What stands beside a system -> what the page calls it.
SYSTEMS = {
    "most_likely_phone": "always the most likely phone",
    "random_codes": "random codes",
    "codes_shifted_1s": "the codes, shifted by a second",
    "mfcc_kmeans": "MFCC k-means",
    "mfcc_linear": "linear classifier on MFCC",
    "mfcc": "MFCCs every 10 ms",
    "log_mel": "log-mel every 10 ms",
    "one_hot": "these codes, one-hot",
    "vectors_angular": "these codes, vectors, angular distance",
    "vectors_cosine": "these codes, vectors, cosine distance",
    "features_angular": "these features, angular distance",
    "features_cosine": "these features, cosine distance",
    "even_boundaries": "evenly spaced boundaries",
    "random_boundaries": "random boundaries",
    "source": "source as it is",
    "mu_law": "source through mu-law",
    "griffin_lim": "source through Griffin-Lim",
    "real_target": "real recordings of the target",
}


def table(headings: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in (headings, ["---"] * len(headings), *rows)]
    return "\n" + "\n".join(lines) + "\n"


def text(value: Any, factor: float = 1, unit: str = "") -> str:
    """A figure as the page shows it; a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int) and factor == 1:
        return f"{value}{unit}"
    number = value * factor
    return f"{number:.1f}{unit}" if factor == 100 or abs(number) >= 100 else f"{number:.3f}{unit}"


def shown(found: Found, key: str, factor: float, unit: str) -> str:
    """A figure with its interval."""
    bounds = (found.get("intervals") or {}).get(key)
    interval = (
        f" [{text(bounds[0], factor)}, {text(bounds[1], factor)}]" if bounds and found.get(key) is not None else ""
    )
    return text(found.get(key), factor, unit) + interval


def by_system(systems: list[tuple[str, Found]], figures: Figures, corner: str = "") -> str:
    """One row per system, a column a figure that any of them has."""
    keys = [key for key in figures if any(found.get(key) is not None for _, found in systems)]
    rows = [[name, *(shown(found, key, *figures[key][1:]) for key in keys)] for name, found in systems]
    return table([corner, *(figures[key][0] for key in keys)], rows)


def beside(found: Found, *kinds: str) -> list[tuple[str, Found]]:
    """What stands beside the system: baselines, toplines and the like."""
    return [(SYSTEMS.get(name, name), one) for kind in kinds for name, one in (found.get(kind) or {}).items()]
