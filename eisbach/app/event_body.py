"""What every event's body is, in whichever area of the log it stands."""

import msgspec

TransferTuple = tuple[str, str, int, str]
"""debit account, credit account, micro-euro, kind"""


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What every kind has in common: nothing but being a body."""
