"""The round that ends what data sets began: whole uploads become ready, copies arrive, what is over goes."""

from typing import TYPE_CHECKING

from eisbach.app.copy_data_set import finish_copies
from eisbach.app.data_shelves import those
from eisbach.app.delete_data_set import begin_due, finish_deletions
from eisbach.app.receive_data_set import finish_whole
from eisbach.app.state_data import DataSet, Stage

if TYPE_CHECKING:
    from eisbach.app.application import Application


def tend_data_sets(application: "Application") -> int:
    """Do whatever is due for data sets; return how many changed. Run it at any time, twice or late."""
    begun = begin_due(application)
    whole = finish_whole(application, those(application, _is_coming))
    return begun + whole + finish_copies(application) + finish_deletions(application)


def _is_coming(one: DataSet, now: int) -> bool:
    return one.stage is Stage.UPLOADING and one.expires_ms > now
