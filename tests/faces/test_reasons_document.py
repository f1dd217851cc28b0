"""docs/reasons.md lists every reason with its HTTP status and whether the same request may succeed later."""

import re
from pathlib import Path

from eisbach.api.errors import STATUS
from eisbach.core.vocabulary.reasons import Reason

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reasons.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| (\d+|–) \| (yes|no) \| .+ \|$", re.MULTILINE)
STATUS_OF_THE_REST = 422


def test_every_reason_is_documented_and_nothing_else():
    assert [name for name, _, _ in ROW.findall(DOCUMENT.read_text())] == [one.value for one in Reason]


def test_the_document_says_which_status_a_reason_has_and_whether_to_try_again():
    for name, status, again in ROW.findall(DOCUMENT.read_text()):
        reason = Reason(name)
        if status == "–":
            assert reason not in STATUS or reason is Reason.BUDGET_REACHED, name
        else:
            assert int(status) == STATUS.get(reason, STATUS_OF_THE_REST), name
        assert (again == "yes") == reason.is_retryable, name
