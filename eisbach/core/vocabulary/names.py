"""The one rule for names that an operator gives to what a factory is made of: sites, pools, nodes, flavours, halls, rows, racks."""

NAME_MAX = 63
NAME_RULE = f"a name of up to {NAME_MAX} letters a to z and digits, with single '.', '_' or '-' between them, such as b200.8 or hall-01"
"""The rule in words: names stand in addresses, patterns, lists and, of flavours, in task files."""


def is_name(text: object) -> bool:
    """Return whether a text keeps the rule; what is no text does not."""
    if not isinstance(text, str) or not text.isascii() or len(text) > NAME_MAX:
        return False
    return all(part.isalnum() for part in text.replace("_", ".").replace("-", ".").split("."))
