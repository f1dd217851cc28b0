"""One type per identifier: ours, prefixed and time-sortable."""

from typing import Final, NewType

OrganisationId = NewType("OrganisationId", str)
ProjectId = NewType("ProjectId", str)
TokenId = NewType("TokenId", str)
JobId = NewType("JobId", str)
AttemptId = NewType("AttemptId", str)
NodeId = NewType("NodeId", str)
ArchiveId = NewType("ArchiveId", str)
DataSetId = NewType("DataSetId", str)

PREFIXES: Final = {
    OrganisationId: "org",
    ProjectId: "prj",
    TokenId: "tok",
    JobId: "job",
    AttemptId: "att",
    DataSetId: "dset",
}
