"""The documentation names files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
#: What is written by commands, or stands for any name.
ELSEWHERE = re.compile(r"(^|/)(codes|dict\.km)\.txt$|NAME|^exp/|^data/|\*")
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_files_that_are_named_are_there(page: Path) -> None:
    tops = ("vqspeech", "tests", "egs", "recipes", "tools", "docs")
    known = [file.as_posix() for top in tops for file in (REPO / top).rglob("*") if file.is_file()]
    named = re.findall(r"`([\w./*-]+\.(?:py|sh|yaml|md|toml|txt|cfg))`", page.read_text())
    missing = [
        name
        for name in named
        if not ELSEWHERE.search(name)
        and not (REPO / name).exists()
        and not any(file.endswith(f"/{name}") for file in known)
    ]
    assert not missing
