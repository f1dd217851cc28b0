"""How amounts in a task file are read: cores, memory, durations, accelerators; None where a text says none of these."""

from typing import Final, NamedTuple

from eisbach.core.jobs.request import WHOLE
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

CORES: Final = "a number of cores such as 4, 4+ or 0.5, no finer than 0.001"
MEMORY: Final = "an amount of memory such as 32 (GiB), 32+, 16GB, 512MB or 4x (GiB per core)"
DURATION: Final = "a duration such as 30m, 1h30m or 2d, or a whole number of seconds"
ACCELERATOR: Final = "a GPU name and how many of them per node, such as H100:8, H100, B200:0.5 or B200:1g.23gb"

DIGITS_MAX: Final = 15
"""More digits than any amount has; it keeps the arithmetic small whatever is sent."""

_MIG_COMPUTE: Final = ("1g", "2g", "3g", "4g", "7g")
_SLICE_MILLI: Final = 142
"""A seventh of a GPU, rounded down: seven slices are no more than all of it. The flavour's own table says the exact part."""

_UNITS_MS: Final = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS}
_UNIT_ORDER: Final = {"d": 0, "h": 1, "m": 2, "s": 3}

# SkyPilot calls 2**30 bytes a GB, and so do we: whoever writes 16GB gets 16 GiB, never less than was asked.
_MEMORY_UNITS_MIB: Final = (
    ("gib", 1024),
    ("gb", 1024),
    ("gi", 1024),
    ("g", 1024),
    ("mib", 1),
    ("mb", 1),
    ("mi", 1),
    ("m", 1),
    ("tib", 1024 * 1024),
    ("tb", 1024 * 1024),
    ("ti", 1024 * 1024),
    ("t", 1024 * 1024),
)


class Accelerator(NamedTuple):
    """A GPU model in upper case as asked (None: any), and how many of them each node needs.

    `gpu_milli` below 1000 is the part of one GPU that is wanted, `mig` the profile of a slice of one.
    """

    name: str | None
    gpus: int
    gpu_milli: int = WHOLE
    mig: str = ""


def parse_cpu_milli(value: object) -> int | None:
    """Return thousandths of a core: `4`, `"4+"`, `0.5`; None if it is no number or finer than a thousandth."""
    if type(value) is int:
        return value * 1000
    if isinstance(value, float):
        return _thousandths(_float_text(value))
    if not isinstance(value, str):
        return None
    text = value.strip()
    return _thousandths(text[:-1] if text.endswith("+") else text)


def parse_memory_mib(value: object, cpu_milli: int) -> int | None:
    """Return MiB: a number is GiB, units are binary, `4x` is GiB per core of `cpu_milli`; fractions are rounded up."""
    if type(value) is int:
        return value * 1024
    text = _float_text(value) if isinstance(value, float) else value
    if not isinstance(text, str):
        return None
    text = text.strip().lower()
    if text.endswith("+"):
        text = text[:-1]
    if text.endswith("x"):
        per_core = _thousandths(text[:-1])
        return None if per_core is None else _divide_up(per_core * cpu_milli * 1024, 1_000_000)
    unit_mib = 1024
    for unit, mib in _MEMORY_UNITS_MIB:
        if text.endswith(unit):
            text, unit_mib = text[: -len(unit)].rstrip(), mib
            break
    amount = _thousandths(text)
    return None if amount is None else _divide_up(amount * unit_mib, 1000)


def parse_duration_ms(value: object) -> int | None:
    """Return milliseconds: an int is seconds; a text has days, hours, minutes, seconds in this order, or only digits."""
    if type(value) is int:
        return value * SECOND_MS
    if isinstance(value, float):
        return int(value) * SECOND_MS if abs(value) < 1e15 and value == int(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if is_digits(text):
        return int(text) * SECOND_MS
    total, digits, last = 0, "", -1
    for letter in text.lower():
        if letter == " " and not digits:
            continue
        if letter in "0123456789" and len(digits) < DIGITS_MAX:
            digits += letter
            continue
        place = _UNIT_ORDER.get(letter, -1)
        if not digits or place <= last:
            return None
        total += int(digits) * _UNITS_MS[letter]
        digits, last = "", place
    return None if digits or last < 0 else total


def parse_accelerator(value: str) -> Accelerator | None:
    """Return the GPU model and count of `H100:8`, `H100` (one), `H100:0.5` (half of one) or `H100:1g.10gb` (a slice of one)."""
    name, colon, count = value.partition(":")
    return named_accelerator(name, count.strip() if colon else 1)


def named_accelerator(name: str, count: object) -> Accelerator | None:
    """Return so much of a GPU model, or None where the name or the amount is none.

    A name has letters, digits, dots and dashes, and begins with a letter or digit.
    """
    name = name.strip().upper()
    return counted_accelerator(name, count) if is_plain_name(name) else None


def counted_accelerator(name: str | None, count: object) -> Accelerator | None:
    """Return so much of a GPU model or of any: a whole number of GPUs, a part of one in thousandths, or a MIG profile."""
    number = parse_count(count)
    if number is not None:
        return Accelerator(name, number)
    if isinstance(count, str) and _is_mig_profile(count.lower()):
        return Accelerator(name, 1, _SLICE_MILLI * int(count[0]), count.lower())
    milli = _thousandths(repr(count) if isinstance(count, float) else count) if isinstance(count, float | str) else None
    return Accelerator(name, 1, milli) if milli is not None and 0 < milli < WHOLE else None


def _is_mig_profile(text: str) -> bool:
    """Return whether a text is like `1g.23gb` or `1g.23gb+me`; the flavour says which ones there are."""
    compute, point, memory = text.removesuffix("+me").partition(".")
    return point == "." and compute in _MIG_COMPUTE and memory.endswith("gb") and is_digits(memory[:-2])


def parse_count(value: object) -> int | None:
    """Return a whole number given as int, as a float without a fraction or as digits."""
    if type(value) is int:
        return value
    if isinstance(value, float):
        return int(value) if abs(value) < 1e15 and value == int(value) else None
    return int(value) if isinstance(value, str) and is_digits(value) else None


def is_digits(text: str) -> bool:
    """Return whether a text is a whole number of a sensible length in ASCII digits."""
    return 0 < len(text) <= DIGITS_MAX and text.isascii() and text.isdigit()


def is_plain_name(text: str) -> bool:
    """Return whether a text is a name of a GPU or flavour: at most 63 of letters, digits, `.`, `-`, `_`."""
    bare = text.replace("-", "").replace("_", "").replace(".", "")
    return 0 < len(text) <= 63 and text.isascii() and bare.isalnum() and text[0].isalnum()


def duration_text(duration_ms: int) -> str:
    """Return a duration as a person writes it: `1d12h`, `30m`, `90s` is `1m30s`; `0s` for nothing."""
    seconds, text = duration_ms // SECOND_MS, ""
    for unit, length_ms in _UNITS_MS.items():
        count, seconds = divmod(seconds, length_ms // SECOND_MS)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _thousandths(text: str) -> int | None:
    whole, point, fraction = text.strip().partition(".")
    sign = -1 if whole.startswith("-") else 1
    whole = whole[1:] if sign < 0 else whole
    fraction = fraction.rstrip("0")
    if not (is_digits(whole) or (whole == "" and point and fraction)) or len(fraction) > 3:
        return None
    if fraction and not is_digits(fraction):
        return None
    return sign * (int(whole or "0") * 1000 + int(fraction.ljust(3, "0")))


def _float_text(value: float) -> str:
    # repr is the shortest text that reads back the same: what was written, unless it has an exponent or is not finite
    return repr(value)


def _divide_up(amount: int, by: int) -> int:
    return -(-amount // by)
