"""Text for the model: read from a folder, split in training and validation, turned into tokens."""

import sys
import sysconfig
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def read_text(folder: Path | None, max_bytes: int) -> bytes:
    """All text files of the folder in the order of their names, cut at max_bytes; files with a zero byte are skipped."""
    root, pattern = (folder, "*") if folder else (Path(sysconfig.get_path("stdlib")), "*.py")
    skipped = {"site-packages", "dist-packages", "test", "tests", "__pycache__", ".git"}
    parts: list[bytes] = []
    size = 0
    for path in sorted(root.rglob(pattern)):
        if size >= max_bytes:
            break
        if path.is_file() and not skipped & set(path.relative_to(root).parts):
            content = path.read_bytes()
            if b"\0" not in content:
                parts.append(content)
                size += len(content)
    if not size:
        sys.exit(f"no text found in {root}")
    return b"".join(parts)[:max_bytes]


def split_text(text: bytes) -> tuple[bytes, bytes]:
    """Training and validation text: every twentieth block of the text is kept for validation."""
    block = max(1, min(32_768, len(text) // 20))
    blocks = [text[start : start + block] for start in range(0, len(text), block)]
    training = b"".join(part for number, part in enumerate(blocks) if number % 20 != 10)
    return training, b"".join(blocks[10::20])


@dataclass(frozen=True)
class Tokenizer:
    """Byte pairs, merged in the order learned. Without merges it is a tokenizer of plain bytes.

    Merging runs over a whole numpy array at once, so the code stays short and needs no further package; that suits
    vocabularies up to a few thousand tokens. Beyond that, use the `tokenizers` package.
    """

    merges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def learn(cls, text: bytes, vocabulary: int) -> "Tokenizer":
        ids = np.frombuffer(text[:1_000_000], dtype=np.uint8).astype(np.int32)
        merges: list[tuple[int, int]] = []
        while 256 + len(merges) < vocabulary and len(ids) > 1:
            counts = np.bincount(ids[:-1].astype(np.int64) * vocabulary + ids[1:])
            most = int(counts.argmax())  # of equal counts the first: every worker learns the same
            if counts[most] < 2:
                break
            left, right = divmod(most, vocabulary)
            ids = merge_pair(ids, left, right, 256 + len(merges))
            merges.append((left, right))
        return cls(tuple(merges))

    @property
    def size(self) -> int:
        return 256 + len(self.merges)

    def encode(self, text: bytes) -> np.ndarray:
        ids = np.frombuffer(text, dtype=np.uint8).astype(np.int32)
        for number, (left, right) in enumerate(self.merges):
            ids = merge_pair(ids, left, right, 256 + number)
        return ids

    def decode(self, ids: list[int]) -> str:
        pieces = [bytes([value]) for value in range(256)]
        for left, right in self.merges:
            pieces.append(pieces[left] + pieces[right])
        return b"".join(pieces[token] for token in ids).decode("utf-8", errors="replace")


def merge_pair(ids: np.ndarray, left: int, right: int, merged: int) -> np.ndarray:
    hits = np.flatnonzero((ids[:-1] == left) & (ids[1:] == right))
    if left == right and len(hits):  # in a run like "aaa" hits overlap: keep every second one, from the run's start
        run_starts = np.concatenate(([True], np.diff(hits) != 1))
        index = np.arange(len(hits))
        hits = hits[(index - np.maximum.accumulate(np.where(run_starts, index, 0))) % 2 == 0]
    result, kept = ids.copy(), np.ones(len(ids), dtype=bool)
    result[hits] = merged
    kept[hits + 1] = False
    return result[kept]


@dataclass(frozen=True)
class Corpus:
    """Training and validation tokens, with the tokenizer that made them; size and digest are those of the text."""

    tokenizer: Tokenizer
    training: np.ndarray
    validation: np.ndarray
    size: int
    digest: int

    @classmethod
    def read(cls, folder: Path | None, max_bytes: int, vocabulary: int) -> "Corpus":
        text = read_text(folder, max_bytes)
        training, validation = split_text(text)
        tokenizer = Tokenizer.learn(training, vocabulary)
        return cls(tokenizer, tokenizer.encode(training), tokenizer.encode(validation), len(text), zlib.crc32(text))
