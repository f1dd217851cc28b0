"""`eisbach quote`, `book`, `bookings`, `booking`: capacity at a named time and price."""

from typing import Annotated, Any

import typer

from eisbach.cli import figures
from eisbach.cli.client import segment
from eisbach.cli.errors import usage_error
from eisbach.cli.instants import instant_text
from eisbach.cli.output import Format, Output, document, pairs, show, table
from eisbach.cli.resolve import find_project
from eisbach.cli.session import Session
from eisbach.cli.terminal import is_interactive
from eisbach.core.billing.booking_rules import OnFault
from eisbach.core.jobs.amounts import parse_duration_ms

Json = dict[str, Any]
Project = Annotated[str | None, typer.Option("--project", "-p", help="The project: name or id.")]
Option = Annotated[str, typer.Argument(metavar="OPTION", help="An option of a quote, such as quo_01....1.")]
Booking = Annotated[str, typer.Argument(metavar="BOOKING", help="The booking's id.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
MARKS = {"earliest": "earliest", "cheapest": "cheapest", "least-carbon": "least CO2"}


def quote(
    flavour: Annotated[str, typer.Option("--flavour", help="Flavour or accelerator, such as b200.8.")],
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="For how long, such as 3d or 90m.")],
    nodes: Annotated[int, typer.Option("--nodes", help="Whole nodes.")] = 1,
    begin: Annotated[str | None, typer.Option("--from", metavar="WHEN", help="Begins no earlier: 2026-12-01T08:00, or 2h from now.")] = None,
    end: Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Ends by: 2026-12-31T18:00, or 30d from now.")] = None,
    within: Annotated[str | None, typer.Option("--within", help="One nvlink, rack, row or hall must hold all nodes.")] = None,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Ask for up to five ways to have nodes for a time, with prices that hold for a while.

    A quote holds nothing: `quote hold` keeps an option for some minutes, `book` books it. Instants are in local time unless
    they say their offset.
    """
    body = {
        "flavour": flavour,
        "nodes": nodes,
        "length_ms": _length(length, "--for"),
        "from_at": instant_text(begin, "--from"),
        "until_at": instant_text(end, "--until"),
        "within": within,
    }
    session = Session()
    found = session.client.post(f"{_project(session, project)}/quotes", body)
    show(document("quote", **found), output_format, lambda is_wide: _print_quote(found, is_wide))


def hold(option: Option, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Keep the nodes of an option for some minutes, at no price."""
    session = Session()
    held = session.client.post(f"{_project(session, project)}/holds", {"option": option})
    words = f"Held until {figures.instant(held['held_until_at'])}. Book it with `eisbach book {option}`."
    show(document("hold", **held), output_format, lambda is_wide: print(words))


def release(option: Option, project: Project = None, output_format: Output = Format.TABLE) -> None:
    """Let a held option go before its time."""
    session = Session()
    held = session.client.delete(f"{_project(session, project)}/holds/{segment(option)}")
    show(document("hold", **held), output_format, lambda is_wide: print(f"{option} is held no longer."))


def book(
    option: Option,
    on_fault: Annotated[
        OnFault, typer.Option("--on-fault", help="For nodes that fail and are not replaced: longer time on the others where they are free, or money back.")
    ] = OnFault.EXTEND,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Book an option of a quote and set its price aside; the same option once more gives the same booking."""
    session = Session()
    made = session.client.post(f"{_project(session, project)}/bookings", {"option": option, "on_fault": on_fault.value})
    words = f"{'Booked before' if made['again'] else 'Booked'}: {made['booking']}. Use it with `eisbach run --booking {made['booking']}`."
    if made["again"]:
        held = session.client.get(f"/v1/bookings/{segment(made['booking'])}")["on_fault"]
        if held != on_fault.value:
            words += f" For nodes that fail it stays with `{held}`, as it was booked."
    show(document("booking", **made), output_format, lambda is_wide: print(words))


def list_bookings(project: Project = None, output_format: Output = Format.TABLE) -> None:
    """List the bookings of the project."""
    session = Session()
    found = list(session.client.pages(f"{_project(session, project)}/bookings", limit=1000))
    show(document("bookings", bookings=found), output_format, lambda is_wide: _print_bookings(found, is_wide))


def show_booking(booking: Booking, output_format: Output = Format.TABLE) -> None:
    """Show a booking, and what cancelling it would cost now."""
    found = Session().client.get(f"/v1/bookings/{segment(booking)}")
    show(document("booking", **found), output_format, lambda is_wide: _print_booking(found))


def cancel(booking: Booking, yes: Yes = False, output_format: Output = Format.TABLE) -> None:
    """Cancel a booking; what that costs follows from the rules of its quote, and is shown first."""
    session = Session()
    path = f"/v1/bookings/{segment(booking)}"
    if not yes:
        found = session.client.get(path)
        due = figures.euro(found.get("cancel_due_micro_eur") or 0)
        _confirm(f"Cancelling now leaves {due} EUR to pay of {figures.euro(found['price_micro_eur'])}. Cancel it?")
    ended = session.client.post(f"{path}/cancel")
    words = f"Cancelled. {figures.euro(ended['charged_micro_eur'])} EUR are charged, the rest is free again."
    show(document("booking", **ended), output_format, lambda is_wide: print(words))


def extend(
    booking: Booking,
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="By how much longer, such as 1d.")],
    yes: Yes = False,
    project: Project = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Make a booking longer on its nodes, at a price that is quoted first."""
    session = Session()
    quoted = session.client.post(f"/v1/bookings/{segment(booking)}/extensions", {"length_ms": _length(length, "--for")})
    option = quoted["options"][0]
    if not yes:
        _confirm(f"Until {figures.instant(option['until_at'])} for {figures.euro(option['price_micro_eur'])} EUR more. Extend it?")
    made = session.client.post(f"/v1/projects/{quoted['project']}/bookings", {"option": option["option"]})
    words = f"{booking} ends {figures.instant(option['until_at'])} now."
    show(document("booking", **made), output_format, lambda is_wide: print(words))


def _project(session: Session, wanted: str | None) -> str:
    return f"/v1/projects/{find_project(session, wanted)['project']}"


def _confirm(question: str) -> None:
    if not is_interactive():
        raise usage_error("Nobody can be asked here", "Say --yes")
    if not typer.confirm(question):
        raise typer.Abort


def _length(text: str, option: str) -> int:
    length = parse_duration_ms(text)
    if length is None:
        raise usage_error(f"{option} is {text!r}, but must be a duration such as 3d, 12h or 90m")
    return length


def _print_quote(quote: Json, is_wide: bool) -> None:
    columns = ["OPTION", "~BEST", "~PLACE", "START", "END", ">PRICE EUR", ">KWH", ">KG CO2"]
    rows = [
        [
            one["option"],
            ", ".join(MARKS.get(mark, mark) for mark in one["marks"]),
            _place(one),
            figures.minute(one["from_at"]),
            figures.minute(one["until_at"]),
            figures.euro(one["price_micro_eur"]),
            f"{one['energy_wh'] / 1000:,.0f}",
            f"{one['carbon_g'] / 1000:,.1f}" if one["carbon_g"] is not None else "",
        ]
        for one in quote["options"]
    ]
    if is_wide:
        columns.append("NODES")
        for row, one in zip(rows, quote["options"], strict=True):
            row.append(" ".join(one["nodes"]))
    table(columns, rows)
    rules = quote["rules"]
    print(f"\nThe prices hold until {figures.instant(quote['expires_at'])}; nothing is held. kWh and CO2 are modelled.")
    print(
        f"Cancelling is free until {figures.duration(rules['free_before_ms'])} before the start, later it costs "
        f"{rules['cancel_permille'] / 10:g} % of what is left."
    )
    if rules["no_show_ms"]:
        print(
            f"Unused {figures.duration(rules['no_show_ms'])} (at most a quarter of the window) after the start it is given back at "
            f"{rules['no_show_permille'] / 10:g} % of what is left."
        )
    print(f"Idle time is sold as spot: {rules['resale_permille'] / 10:g} % of what that pays is yours.")
    print(_fault_rule(rules))
    for cap in quote["power_caps"]:
        until = f"until {figures.instant(cap['counts_until_at'])}" if cap["counts_until_at"] else "for all time to come"
        print(f"The power of {cap['site']} is capped ({cap['cause']}), here taken to be so {until}; what a later cap does not carry costs less.")


def _fault_rule(rules: Json) -> str:
    """Return in words what happens when nodes fail."""
    most = rules["extension_permille"]
    if not most:
        return "A node that fails is replaced by an equal one; where there is none, the price of the rest falls in proportion."
    return (
        "A node that fails is replaced by an equal one; where there is none, the same node-hours follow after the end, where the other nodes "
        f"are free then and for at most {most / 10:g} % of what was left of the window, else the price of the rest falls in proportion "
        "(`book --on-fault credit`: always)."
    )


def _place(option: Json) -> str:
    where = f"{option['site']} {option['level']} {option['domain']}" if option["level"] != "site" else option["site"]
    return f"{where} (simulated)" if option["simulated"] else str(where)


def _print_bookings(found: list[Json], is_wide: bool) -> None:
    columns = ["BOOKING", "STATE", "~SITE", "FLAVOUR", ">NODES", "START", "END", ">PRICE EUR", ">CHARGED"]
    rows = [
        [
            one["booking"],
            one["cause"] or one["state"],
            f"{one['site']} (simulated)" if one["simulated"] else one["site"],
            one["flavour"],
            str(len(one["nodes"])),
            figures.minute(one["from_at"]),
            figures.minute(one["until_at"]),
            figures.euro(one["price_micro_eur"]),
            figures.euro(one["charged_micro_eur"]),
        ]
        for one in found
    ]
    if is_wide:
        columns.append("ON")
        for row, one in zip(rows, found, strict=True):
            row.append(" ".join(one["nodes"]))
    table(columns, rows, empty="No bookings. Ask with `eisbach quote --flavour F --nodes N --for TIME`.")


def _print_booking(found: Json) -> None:
    lines = [
        ("booking", found["booking"]),
        ("state", " ".join(part for part in (found["state"], found["cause"]) if part)),
        ("place", _place(found)),
        ("flavour", found["flavour"]),
        ("nodes", " ".join(found["nodes"])),
        ("window", f"{figures.instant(found['from_at'])} to {figures.instant(found['until_at'])}"),
        ("price", f"{figures.euro(found['price_micro_eur'])} EUR"),
        ("charged", f"{figures.euro(found['charged_micro_eur'])} EUR"),
        ("credited", f"{figures.euro(found['credited_micro_eur'])} EUR for idle time that was sold as spot"),
        ("on fault", found["on_fault"]),
        ("energy", f"{found['energy_wh'] / 1000:,.0f} kWh (modelled)"),
    ]
    if found["lost"]:
        longer = found["given_until_at"]
        lines.append(("lost", f"{' '.join(found['lost'])} ({f'longer until {figures.instant(longer)} for it' if longer else 'credited'})"))
    if found["relieved_micro_eur"]:
        lines.append(("price fell by", f"{figures.euro(found['relieved_micro_eur'])} EUR: a cap on the site's power did not carry all of it"))
    if found.get("cancel_due_micro_eur") is not None:
        lines.append(("if cancelled", f"{figures.euro(found['cancel_due_micro_eur'])} EUR to pay"))
    pairs(lines)
