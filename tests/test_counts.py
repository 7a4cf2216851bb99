"""``vqspeech.counts``: one is singular, and no output line of the package is left to chance."""

from __future__ import annotations

import re
from pathlib import Path

from vqspeech.counts import counted

PACKAGE = Path(__file__).parent.parent / "vqspeech"
#: A count that is put before a plural as it is; a noun behind an adjective or a sum in the middle of a text escapes it.
PLURAL = re.compile(
    r"(?<!\$)\{[^{}]*(?:len\([^{}]*\)|\.(?:speakers|utterances|tokens))\} "
    r"(?:speakers|utterances|recordings|codes|lines|faults|shards|units)\b"
)


def test_one_is_singular_and_all_else_plural() -> None:
    assert [counted(n, "code") for n in (0, 1, 2)] == ["0 codes", "1 code", "2 codes"]
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(2, "entry", "entries") == "2 entries"
    assert counted(12345, "code", form=",") == "12,345 codes"
    assert counted(1.0, "minute", form="g") == "1 minute"
    assert counted("no", "voice") == "no voices"


def test_no_output_line_puts_a_count_before_a_plural_as_it_is() -> None:
    found = [
        f"{file.relative_to(PACKAGE)}: {line.strip()}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if PLURAL.search(line)
    ]
    assert found == []
