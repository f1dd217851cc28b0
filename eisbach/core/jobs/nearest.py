"""Which known word a mistyped one most likely was."""

from collections.abc import Iterable

_LENGTH_MAX = 40


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word with the fewest edits to `word`, None where even that is too far (over a third of it)."""
    if len(word) > _LENGTH_MAX:
        return None
    plain = word.lower().replace("-", "_").replace(" ", "_")
    best, best_edits = None, max(1, len(plain) // 3) + 1
    for candidate in sorted(known):
        edits = edit_distance(plain, candidate)
        if edits < best_edits:
            best, best_edits = candidate, edits
    return best


def edit_distance(left: str, right: str) -> int:
    """Return the least number of insertions, deletions, replacements and swaps of neighbours between two words.

    Source: Damerau, Communications of the ACM 7(3), 1964, in the restricted form (optimal string alignment).
    """
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        before, above, row = row, before, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
