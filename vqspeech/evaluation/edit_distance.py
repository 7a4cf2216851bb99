"""Edit distance of two sequences of symbols."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and substitutions that turn one sequence into the other (Levenshtein 1966).

    Bit-parallel, a column of the table in one integer (Myers 1999, "A fast bit-vector algorithm for approximate string
    matching", in Hyyrö's form for whole sequences, 2003): the bits say where the column rises and falls by one.

    Args:
        first: symbols, any that can be compared.
        second: likewise.
    """
    if not first:
        return len(second)
    places: dict[Hashable, int] = {}
    for index, symbol in enumerate(first):
        places[symbol] = places.get(symbol, 0) | 1 << index
    last, mask = 1 << (len(first) - 1), (1 << len(first)) - 1
    rises, falls, distance = mask, 0, len(first)
    for symbol in second:
        equal = places.get(symbol, 0)
        vertical = equal | falls
        horizontal = (((equal & rises) + rises) ^ rises) | equal
        up, down = falls | (mask & ~(horizontal | rises)), rises & horizontal
        if up & last:
            distance += 1
        elif down & last:
            distance -= 1
        up, down = up << 1 | 1, down << 1
        rises, falls = mask & (down | ~(vertical | up)), mask & up & vertical
    return distance
