"""Schemas of `/v1` about packages of organisations."""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel

OrganisationPath = Annotated[str, Path(description="The organisation's id.")]
Trust = Annotated[
    str, Query(max_length=512, description="The verifier key of the first factory, name+id+base64, as it publishes it.")
]

Site = Annotated[str | None, Query(max_length=128, description="Where data sets are to lie; the factory's first site without it.")]


class Imported(BaseModel):
    organisation: str
    origin: str
    records: int
    manifest: str
    is_new: bool


class ImportComparison(BaseModel):
    organisation: str
    origin: str = ""
    key: str = ""
    manifest: str = ""
    records: int = 0
    imported_at: str = ""
    same: bool
    lines: list[dict[str, Any]]
