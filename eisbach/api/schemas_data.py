"""Schemas of `/v1` about data sets and uploads; beside api/schemas.py, which would be too long with them."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field, StringConstraints

from eisbach.api.schemas import Asked, At, Told

DataSetPath = Annotated[str, Path(description="The data set's id.")]
IsAll = Annotated[bool, Query(alias="all", description="Also those that are gone.")]
Site = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class NewCopy(Asked):
    site: Site = Field(description="Where a copy shall lie.")


class DataPlace(Told):
    site: str
    country: str
    operator: str
    simulated: bool = Field(description="The site is simulated: a folder on this machine stands for it.")
    is_whole: bool = Field(description="False while a copy is on its way there.")


class DataSet(Told):
    data_set: str
    project: str
    name: str = Field(description="Empty once erased.")
    stage: str = Field(description="uploading, ready, deleting, deleted, abandoned")
    data_class: str = Field(description="customer, derived, account, provider (C5)")
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="SHA-256 of the whole file in hex; empty until all bytes are there.")
    manifest: str = Field(description="SHA-256 of the list of its chunks: the content hash.")
    chunks: int
    licence: str
    countries: list[str] = Field(description="The owner's own rule for where it may lie; empty: none.")
    places: list[DataPlace]
    kept_until_at: At | None
    expires_at: At | None = Field(description="When an unfinished upload is given up.")
    announced_at: At
    created_at: At | None
    gone_at: At | None


class DataSets(Told):
    items: list[DataSet]
    next_cursor: str | None
    held_bytes: int = Field(description="What the project holds, each copy counted, unfinished uploads in full.")
    quota_bytes: int


class DeletedDataSet(Told):
    data_set: str
    stage: str


class CopiedDataSet(Told):
    data_set: str
    site: str


class Certificate(Told):
    format: str = Field(description="That of audit bundles.")
    certificate: str = Field(description="A signed note: what was deleted, where, when, and what remains.")


class PlaceFinding(Told):
    site: str
    is_whole: bool
    finding: str


class CheckedDataSet(Told):
    data_set: str
    is_whole: bool
    places: list[PlaceFinding]
