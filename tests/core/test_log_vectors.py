"""The proof vectors of transparency-dev/merkle (commit 417fb0c3, Apache-2.0).

They lie outside the repository: in `../shared`, or in the folder that EISBACH_SHARED names.
"""

import json
import os
from base64 import b64decode
from pathlib import Path

import pytest

from eisbach.core.log.tree import verify_consistency, verify_inclusion

SHARED = Path(os.environ.get("EISBACH_SHARED", Path(__file__).parents[3] / "shared"))
VECTORS = SHARED / "data" / "merkle" / "vectors.jsonl"
CASES = [json.loads(line) for line in VECTORS.read_text().splitlines()] if VECTORS.is_file() else []

needs_vectors = pytest.mark.skipif(not CASES, reason=f"no Merkle vectors at {VECTORS}; set EISBACH_SHARED")


@needs_vectors
def test_all_vectors_are_there():
    assert len(CASES) == 196
    assert sum(case["wantErr"] for case in CASES) == 184


@needs_vectors
@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_vector(case):
    proof = [b64decode(node) for node in case["proof"] or []]
    if case["kind"] == "inclusion":
        leaf, root = b64decode(case["leafHash"] or ""), b64decode(case["root"] or "")
        holds = verify_inclusion(case["leafIdx"], case["treeSize"], leaf, proof, root)
    else:
        root1, root2 = b64decode(case["root1"] or ""), b64decode(case["root2"] or "")
        holds = verify_consistency(case["size1"], case["size2"], root1, root2, proof)
    assert holds != case["wantErr"]
