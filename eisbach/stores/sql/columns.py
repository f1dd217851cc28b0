"""What tables are made of, on SQLite and PostgreSQL alike: one metadata, and columns by what they hold."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, Text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.types import TypeEngine

metadata = MetaData()

TEXT: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
INT: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's INTEGER has 64 bits
BLOB: TypeEngine[bytes] = LargeBinary().with_variant(BYTEA(), "postgresql")
FLAG = Boolean()


def key_column(name: str, of: TypeEngine[Any] = TEXT) -> Column[Any]:
    return Column(name, of, primary_key=True, autoincrement=False)


def text_column(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=null)


def int_column(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, INT, nullable=null)


def blob_column(name: str) -> Column[bytes]:
    return Column(name, BLOB, nullable=False)


def flag_column(name: str) -> Column[bool]:
    return Column(name, FLAG, nullable=False)
