"""How rows become the JSON of `/v1`: money in micro-euro and as exact text, instants as RFC 3339 in UTC."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from eisbach.app.commands import Actor
from eisbach.core.jobs.lifecycle import JobState
from eisbach.core.vocabulary.money import euro_text
from eisbach.ports.store import Page, Row

Json = dict[str, Any]
_euro = lru_cache(maxsize=4096)(euro_text)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
encode = msgspec.json.Encoder().encode


def instant_text(at_ms: int | None) -> str | None:
    """Return an instant as RFC 3339 text in UTC with milliseconds, such as `2026-11-22T03:55:42.000Z`."""
    if at_ms is None:
        return None
    seconds, rest = divmod(at_ms, 1000)
    return f"{_second_text(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def money(name: str, amount: int) -> Json:
    """Return an amount twice: `<name>_micro_eur` as an integer, `<name>_eur` as exact decimal text."""
    return {f"{name}_micro_eur": amount, f"{name}_eur": _euro(amount)}


def with_money_text(value: Any) -> Any:
    """Return a value with `<name>_eur` beside each integer `<name>_micro_eur`, at every depth."""
    if isinstance(value, Mapping):
        shown: Json = {}
        for key, part in value.items():
            shown[key] = with_money_text(part)
            if key.endswith("_micro_eur") and isinstance(part, int):
                shown[key.removesuffix("_micro_eur") + "_eur"] = euro_text(part)
        return shown
    if isinstance(value, list | tuple):
        return [with_money_text(part) for part in value]
    return value


def with_instants(value: Any) -> Any:
    """Return a value with `<name>_at` in the place of each instant `<name>_ms`, at every depth."""
    if isinstance(value, Mapping):
        return {
            key.removesuffix("_ms") + "_at" if key.endswith("_ms") else key: (
                instant_text(part) if key.endswith("_ms") else with_instants(part)
            )
            for key, part in value.items()
        }
    return [with_instants(part) for part in value] if isinstance(value, list | tuple) else value


def page(found: Page, show: Callable[[Row], Json]) -> Json:
    """Return one page of a list."""
    return {"items": [show(row) for row in found.rows], "next_cursor": found.next_cursor}


def whole(items: Sequence[Json]) -> Json:
    """Return a list that fits on one page."""
    return {"items": list(items), "next_cursor": None}


def actor(who: Actor) -> Json:
    """Return who asks."""
    return {
        "token": who.token,
        "role": who.role.value,
        "organisation": who.organisation,
        "project": who.project,
    }


def organisation(row: Row) -> Json:
    """Return an organisation."""
    return {
        "organisation": row["organisation"],
        "parent": row["parent"],
        "name": row["name"],
        "segment": row["segment"],
        "created_at": instant_text(row["created_ms"]),
    }


def project(row: Row) -> Json:
    """Return a project without its account."""
    return {
        "project": row["project"],
        "organisation": row["organisation"],
        "name": row["name"],
        **money("budget", row["budget"]),
        "created_at": instant_text(row["created_ms"]),
    }


def token(row: Row) -> Json:
    """Return a token without its secret, which nobody has."""
    return {
        "token": row["token"],
        "role": row["role"],
        "organisation": row["organisation"],
        "project": row["project"],
        "label": row["label"],
        "created_at": instant_text(row["created_ms"]),
        "expires_at": instant_text(row["expires_ms"]),
        "revoked_at": instant_text(row["revoked_ms"]),
    }


def issued_token(reply: Json) -> Json:
    """Return a token as it was issued: with its secret, the first time."""
    secret = {"secret": reply["secret"]} if "secret" in reply else {}
    return {**token(reply), **secret}


def job(row: Row) -> Json:
    """Return a job as lists show it."""
    return {
        "job": row["job"],
        "project": row["project"],
        "name": row["name"],
        "state": row["state"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "capacity_class": row["capacity_class"],
        "nodes": row["nodes"],
        "attempts": row["attempts"],
        "last_attempt": row["last_attempt"],
        "exit_code": row["exit_code"],
        "site": row["site"],
        "simulated": row["simulated"],
        "tariff": row["tariff"],
        "limit_ms": row["limit_ms"],
        **money("ceiling", row["cap"]),
        **money("charged", row["charged"]),
        "charged_ms": row["charged_ms"],
        "submitted_by": row["submitted_by"],
        "submitted_at": instant_text(row["submitted_ms"]),
        "started_at": instant_text(row["started_ms"]),
        "running_at": instant_text(row["running_ms"]),
        "ended_at": instant_text(row["ended_ms"]),
        "signal_at": instant_text(row["signal_ms"]) if row["state"] == JobState.STOPPING.value else None,
    }


def attempt(row: Row) -> Json:
    """Return an attempt."""
    copied = ("attempt", "job", "number", "site", "simulated", "state", "ending", "outcome", "fault", "reason", "exit_code", "rank")
    used = ("held_ms", "saved_ms", "charged_ms", "cpu_ms", "memory_peak_mib", "memory_is_polled", "log_bytes")
    return {
        **{name: row[name] for name in copied},
        "nodes": row["nodes"].split(),
        "planned_at": instant_text(row["planned_ms"]),
        "running_at": instant_text(row["running_ms"]),
        "ended_at": instant_text(row["ended_ms"]),
        **{name: row[name] for name in used},
        "detail": row["detail"],
        **money("charged", row["charged"]),
    }


def accepted_job(reply: Json) -> Json:
    """Return what a submission is answered with."""
    return {
        "job": reply["job"],
        "name": reply["name"],
        "project": reply["project"],
        "state": reply["state"],
        "reason": reply["reason"],
        **money("ceiling", reply["cap"]),
        "submitted_at": instant_text(reply["submitted_ms"]),
    }


def account(figures: Mapping[str, Any]) -> Json:
    """Return a month's budget and what of it is reserved, charged and available."""
    shown: Json = {"period": figures["period"]}
    for part in ("budget", "reserved", "charged", "available"):
        shown |= money(part, figures[part])
    return shown


def plan(answer: Mapping[str, Any]) -> Json:
    """Return what a job would cost and when it would start."""
    copied = ("name", "project", "nodes", "flavour", "cpu_milli", "memory_mib", "gpus", "limit_ms", "grace_ms", "predicted_ms")
    place = answer["places"][0] if answer["places"] else {"site": "", "country": ""}
    return {
        **{name: answer[name] for name in copied},
        "site": place["site"],
        "country": place["country"],
        "places": answer["places"],
        "forbidden_places": answer["forbidden_places"],
        "dedicated": answer["dedicated"],
        "policy_version": answer["policy_version"],
        **money("price_per_hour", answer["price_per_hour"]),
        **money("ceiling", answer["cap"]),
        "tariff": answer["tariff"],
        "tariff_label": answer["tariff_label"],
        "starts_at_once": answer["starts_at_once"],
        "start_estimated_at": instant_text(answer["start_estimated_ms"]),
        "start_promised_at": instant_text(answer["start_promised_ms"]),
        "reason": answer["waits_for"],
        "queued_before": answer["queued_before"],
        "detail": _when(answer),
        "account": account(answer["budget"]),
    }


def _when(answer: Mapping[str, Any]) -> str:
    if answer["starts_at_once"]:
        return "now"
    if answer["waits_for"]:
        return "once the project's budget has room for its ceiling"
    if (promised := instant_text(answer["start_promised_ms"])) is not None:
        return f"no later than {promised} (promised as soon as it is submitted)"
    estimate = instant_text(answer["start_estimated_ms"])
    before = answer["queued_before"]
    ahead = f", {before} jobs stand before it" if before else ""
    return f"about {estimate} (an estimate){ahead}" if estimate else f"when capacity becomes free{ahead}"


def offers(answer: Mapping[str, Any]) -> Json:
    """Return what there is to be had, each flavour with its prices beside it."""
    items = []
    for offer in answer["offers"]:
        place = {name: offer["places"][0][name] for name in ("site", "country", "simulated")}
        prices = money("core_hour", answer["core_hour"]) | money("memory_gib_hour", answer["memory_gib_hour"])
        if offer["gpu_hour"] is not None:
            prices |= money("gpu_hour", offer["gpu_hour"])
        kept = {name: value for name, value in offer.items() if name != "gpu_hour"}
        tariff = {name: answer[name] for name in ("tariff", "tariff_label", "spot_permille")}
        free = min(
            (offer[f"free_{name}"] // offer[name] for name in ("cpu_milli", "memory_mib", "gpus") if offer[name]),
            default=0,
        )
        items.append({**kept, **place, "free": free, **prices, **tariff})
    return {**whole(items), "valid_from_at": instant_text(answer["valid_from_ms"])}


def job_cost(answer: Mapping[str, Any]) -> Json:
    """Return what a job was charged, by attempt, with the ledger's transfers behind it."""
    copied = ("job", "name", "project", "site", "simulated", "tariff", "state", "outcome", "charged_ms")
    return {
        **{name: answer[name] for name in copied},
        **money("ceiling", answer["cap"]),
        **money("charged", answer["charged"]),
        **money("credited", answer["credited"]),
        "attempts": [_attempt_cost(one) for one in answer["attempts"]],
        "transfers": [_transfer(one) for one in answer["transfers"]],
    }


def project_cost(answer: Mapping[str, Any]) -> Json:
    """Return a month of a project: its account, and each job and each booking that was charged in it."""
    jobs = []
    for one in answer["jobs"]:
        rest = {name: value for name, value in one.items() if name not in ("charged", "cap")}
        ceiling = money("ceiling", one["cap"]) if one.get("cap") is not None else {}
        jobs.append({**rest, **ceiling, **money("charged", one["charged"])})
    bookings = [
        {"booking": one["booking"], "state": one["state"], "flavour": one["flavour"], "nodes": one["node_count"],
         "site": one["site"], "simulated": one["simulated"], **money("charged", one["charged"])}
        for one in answer["bookings"]
    ]  # fmt: skip
    return {"project": answer["project"], **account(answer), "jobs": jobs, "bookings": bookings}


def _attempt_cost(one: Mapping[str, Any]) -> Json:
    instants = {"running_at": instant_text(one["running_ms"]), "ended_at": instant_text(one["ended_ms"])}
    rest = {name: value for name, value in one.items() if name not in ("running_ms", "ended_ms", "charged")}
    return {**rest, "nodes": one["nodes"].split(), **instants, **money("charged", one["charged"])}


def _transfer(one: Mapping[str, Any]) -> Json:
    copied = ("transfer", "seq", "debit", "credit", "kind", "job", "attempt")
    return {
        **{name: one[name] for name in copied},
        "at": instant_text(one["at_ms"]),
        **money("amount", one["amount"]),
    }


def why(answer: Mapping[str, Any]) -> Json:
    """Return why a job is where it is."""
    return {
        "job": answer["job"],
        "state": answer["state"],
        "reason": answer["reason"],
        "detail": answer["text"],
        "share": str(answer.get("share", "")),
        "late": str(answer.get("late", "")),
        "start_estimated_at": instant_text(answer["start_estimated_ms"]),
        "start_promised_at": instant_text(answer["start_promised_ms"]),
    }


def why_ended(row: Row, last: Row | None) -> Json:
    """Return why a job ended, from its row and that of its last attempt."""
    says_more = row["reason"].lower() != row["outcome"]
    outcome = row["outcome"].replace("_", " ").capitalize()
    detail = f"{outcome} at {instant_text(row['ended_ms'])}" + (f" ({row['reason']})" if says_more else "")
    if last is not None and last["exit_code"] is not None:
        where = f" of task {last['rank']}" if last["rank"] is not None else ""
        detail += f". Attempt {last['number']} ended with exit code {last['exit_code']}{where}"
    if last is not None and last["detail"]:
        detail += f". The engine said: {last['detail']}"
    return {
        "job": row["job"],
        "state": row["state"],
        "reason": row["reason"],
        "detail": detail,
        "start_estimated_at": None,
        "start_promised_at": None,
    }
