"""Damage to files, drawn from a seed: the same seed, the same damage."""

from __future__ import annotations

import random
from collections.abc import Iterator

#: What numbers and words of a text are replaced by.
EXTREMES = (
    b"-1", b"0", b"nan", b"NaN", b"inf", b"1e400", b"-1e400", b"1e-320", b"2147483648", b"99999999999999999999", b"",
    b"../../x", b"/etc/passwd", b"\xff\xfe", b"\x00", b"'", b'"', b"[[[[[[[[", b"{", b"|", b"true", b"null", b"~",
    b"%s", b"\xe2\x80\xae", b"9" * 5000, b" " * 300, b"a" * 3000,
)  # fmt: skip
#: What bytes are set to.
_BYTES = (0, 1, 0x7F, 0x80, 0xFF)


def mutants(content: bytes, *, seed: int, count: int) -> Iterator[bytes]:
    """``count`` damaged copies of ``content``, each with one to four kinds of damage."""
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 1, 2, 4))):
            chance.choice(_KINDS)(damaged, chance)
        yield bytes(damaged)


def _place(damaged: bytearray, chance: random.Random) -> int:
    # Headers decide more than what follows them.
    return chance.randrange(min(len(damaged), 128) if chance.random() < 0.5 else len(damaged)) if damaged else 0


def _flip(damaged: bytearray, chance: random.Random) -> None:
    if damaged:
        damaged[_place(damaged, chance)] ^= 1 << chance.randrange(8)


def _set(damaged: bytearray, chance: random.Random) -> None:
    start = _place(damaged, chance)
    for place in range(start, min(len(damaged), start + chance.choice((1, 2, 4, 8)))):
        damaged[place] = chance.choice(_BYTES)


def _cut(damaged: bytearray, chance: random.Random) -> None:
    del damaged[_place(damaged, chance) :]


def _drop(damaged: bytearray, chance: random.Random) -> None:
    start = _place(damaged, chance)
    del damaged[start : start + chance.choice((1, 2, 4, 16, 100))]


def _double(damaged: bytearray, chance: random.Random) -> None:
    start = _place(damaged, chance)
    damaged[start:start] = damaged[start : start + chance.choice((1, 4, 16, 100))]


def _insert(damaged: bytearray, chance: random.Random) -> None:
    start = _place(damaged, chance)
    damaged[start:start] = chance.choice((chance.randbytes(8), chance.choice(EXTREMES), b"\n", b"\r\n", b"\t"))


def _word(damaged: bytearray, chance: random.Random) -> None:
    words = bytes(damaged).split(b" ")
    words[chance.randrange(len(words))] = chance.choice(EXTREMES)
    damaged[:] = b" ".join(words)


def _line(damaged: bytearray, chance: random.Random) -> None:
    lines = bytes(damaged).split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], chance.choice((lines[one], b"", lines[other]))
    damaged[:] = b"\n".join(lines)


_KINDS = (_flip, _set, _cut, _drop, _double, _insert, _word, _word, _line)
