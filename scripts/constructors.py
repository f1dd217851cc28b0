"""Constructors of dataclasses, written out: Python makes them where a module is loaded, and the compiler only takes what it sees."""

import ast


def written_out(source: str) -> str:
    """Return a module with the constructor of each dataclass that has none of its own, on a blank line of the class.

    So no line moves, and what is told of an error names the right one; and the decorator makes none that nobody takes. A class stays as it is where its constructor would be more than
    its fields in their order: where it derives from another dataclass, has a `field(...)`, or no blank line.
    """
    lines, tree = source.split("\n"), ast.parse(source)
    classes = {one.name: one for one in tree.body if isinstance(one, ast.ClassDef)}
    plain = {name for name, one in classes.items() if not one.bases and _dataclass(one) is None}
    for one in classes.values():
        options = _dataclass(one)
        if options is None or not {ast.unparse(base) for base in one.bases} <= plain:
            continue
        constructor, line, decorator = _constructor(one, options), _blank_line(one, lines), one.decorator_list[0]
        if constructor and line and len(one.decorator_list) == 1 and decorator.lineno == decorator.end_lineno:
            lines[line - 1] = constructor
            more = ast.unparse(decorator).removeprefix("dataclass").strip("()")
            lines[decorator.lineno - 1] = f"@dataclass(init=False{', ' * bool(more)}{more})"
    return "\n".join(lines)


def _dataclass(one: ast.ClassDef) -> dict[str, bool] | None:
    """Return the options of the decorator, None of a class that is no dataclass."""
    for decorator in one.decorator_list:
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(named) == "dataclass":
            options = decorator.keywords if isinstance(decorator, ast.Call) else []
            return {str(option.arg): ast.literal_eval(option.value) for option in options}
    return None


def _constructor(one: ast.ClassDef, options: dict[str, bool]) -> str:
    """Return the constructor on one line; nothing where the decorator's would be another one."""
    fields = [line for line in one.body if isinstance(line, ast.AnnAssign)]
    methods = {line.name for line in one.body if isinstance(line, ast.FunctionDef)}
    is_more = any(isinstance(line.value, ast.Call) or "ClassVar" in ast.unparse(line.annotation) for line in fields)
    if not fields or is_more or "__init__" in methods or not options.get("init", True):
        return ""
    names = [ast.unparse(line.target) for line in fields]
    taken = [ast.unparse(line.target) + f": {ast.unparse(line.annotation)}" + (f" = {ast.unparse(line.value)}" if line.value else "") for line in fields]
    sets = [f"self.{name} = {name}" for name in names] + ["self.__post_init__()"] * ("__post_init__" in methods)
    given = ", ".join(["self", *["*"] * options.get("kw_only", False), *taken])
    of_frozen = "  # type: ignore[misc]" if options.get("frozen", False) else ""
    return f"{' ' * one.body[0].col_offset}def __init__({given}) -> None: {'; '.join(sets)}{of_frozen}"


def _blank_line(one: ast.ClassDef, lines: list[str]) -> int:
    """Return the number of the first blank line behind the fields, 0 where there is none: the one before the next statement."""
    last = max((line.end_lineno or 0 for line in one.body if isinstance(line, ast.AnnAssign)), default=0)
    inside = {number for line in one.body for number in range(line.lineno, (line.end_lineno or 0) + 1)}
    behind = range(last + 1, (one.end_lineno or 0) + 2)
    return next((number for number in behind if number <= len(lines) and number not in inside and not lines[number - 1].strip()), 0)
