"""Rows that follow from events about agreements, quotas and fair shares."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from eisbach.app import events_shares as e
from eisbach.app.event_body import Body
from eisbach.app.row_operations import Insert, Op

Texts = Mapping[str, str]


def _row(
    what: str, owner: str, scope: str, amount: int | None, seq: int, at_ms: int, by: str, price_permille: int | None = None
) -> list[Op]:
    row = {
        "setting": f"{seq:012d}",
        "what": what,
        "owner": owner,
        "scope": scope,
        "amount": amount,
        "price_permille": price_permille,
        "set_by": by,
        "at_ms": at_ms,
        "seq": seq,
    }
    return [Insert("share_settings", row)]


def _share(seq: int, at_ms: int, body: e.ShareSet, texts: Texts) -> list[Op]:
    return _row("share", body.owner, body.scope, body.weight, seq, at_ms, body.by)


def _quota(seq: int, at_ms: int, body: e.QuotaSet, texts: Texts) -> list[Op]:
    return _row("quota", body.owner, body.scope, body.gpu_milli, seq, at_ms, body.by)


def _agreement(seq: int, at_ms: int, body: e.AgreementSet, texts: Texts) -> list[Op]:
    scope, price = "organisation", body.price_permille
    return _row("agreement", body.organisation, scope, body.gpu_milli, seq, at_ms, body.by, price)


def _defragmentation(seq: int, at_ms: int, body: e.DefragmentationPlanned, texts: Texts) -> list[Op]:
    row = {
        "defragmentation": f"{seq:012d}",
        "job": body.job,
        "moved": json.dumps(body.moved),
        "moves": len(body.moved),
        "lost_gpu_milli_ms": body.lost_gpu_milli_ms,
        "gain_gpu_milli_ms": body.gain_gpu_milli_ms,
        "gain_micro_eur": body.gain_micro_eur,
        "at_ms": at_ms,
        "seq": seq,
    }
    return [Insert("defragmentations", row)]


PRIMARY_KEYS: dict[str, str] = {"share_settings": "setting", "defragmentations": "defragmentation"}
TEXT_COLUMNS: dict[str, str] = {}
ROWS: dict[type[Body], Callable[[int, int, Any, Texts], list[Op]]] = {
    e.ShareSet: _share,
    e.QuotaSet: _quota,
    e.AgreementSet: _agreement,
    e.DefragmentationPlanned: _defragmentation,
}
