"""How data sets become the JSON of `/v1`."""

from collections.abc import Mapping
from typing import Any

from eisbach.api.representations import Json, instant_text
from eisbach.app.state_data import Stage

_COPIED = ("data_set", "project", "name", "stage", "data_class", "size", "sha256", "manifest", "chunks", "licence", "countries", "places")


def data_set(facts: Mapping[str, Any]) -> Json:
    """Return a data set as lists and its own page show it."""
    is_coming = facts["stage"] == Stage.UPLOADING.value
    return {
        **{name: facts[name] for name in _COPIED},
        "kept_until_at": instant_text(facts["keep_until_ms"]),
        "expires_at": instant_text(facts["expires_ms"]) if is_coming else None,
        "announced_by": facts["announced_by"],
        "announced_at": instant_text(facts["announced_ms"]),
        "created_at": instant_text(facts["created_ms"]),
        "gone_at": instant_text(facts["gone_ms"]),
    }
