"""A data set gets a copy at a further site: asked for and allowed first, then carried there, then recorded."""

import logging
from typing import TYPE_CHECKING

from eisbach.app.announce_data_set import DataLimits, no_such_site, over_quota
from eisbach.app.check_place import against, refusal_of, refused
from eisbach.app.commands import Actor, Command, Context, Decision
from eisbach.app.data_shelves import GONE, shelf_of, those
from eisbach.app.events_data import DataSetCopied, DataSetCopying
from eisbach.app.places import compiled_for_data_set
from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataSet, Stage
from eisbach.core.vocabulary.reasons import Reason, Refusal
from eisbach.ports.crash import reached
from eisbach.ports.objects import ObjectDamaged, ObjectsFull, UploadBusy

if TYPE_CHECKING:
    from eisbach.app.application import Application

log = logging.getLogger("eisbach.data")


def command(actor: Actor, *, data_set: str, site: str, limits: DataLimits) -> Command:
    """Return the command that has a data set copied to a site; where it is already, nothing changes."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        found = state.data.sets.get(data_set)
        if found is None or found.stage is Stage.DELETING:
            return GONE
        if site not in state.sites:
            return no_such_site(site)
        if found.stage is Stage.UPLOADING:
            what = "The data set is not whole yet: its upload goes on"
            return Refusal(Reason.NOT_SUPPORTED, what, "Copy it once the upload has ended")
        reply = {"data_set": data_set, "site": site, "is_there": site in found.places}
        if site in (*found.places, *found.copying):
            return Decision(reply=reply)
        compiled = compiled_for_data_set(state, data_set)
        if not compiled.allows(site):
            findings = against(compiled, [site])
            refusal = refusal_of(state, "copy", [site], findings, "site")
            return refused(state, actor, refusal, findings, project=found.project)
        problem = over_quota(state.data.bytes_held.get(found.project, 0), found.size, limits)
        if problem is not None:
            return problem
        event = DataSetCopying(
            data_set=data_set, project=found.project, site=site, copying=(*found.copying, site), by=actor.token
        )
        return Decision(events=(event,), reply=reply, status=202)

    return decide


def finish_copies(application: "Application") -> int:
    """Carry what is on its way to a further site there and record it; return how many copies came to be."""
    made = 0
    for one in those(application, _is_on_its_way):
        for site in one.copying:
            try:
                made += _carry(application, one, site)
            except (ObjectDamaged, ObjectsFull, UploadBusy) as error:
                log.error("a copy of %s to %s comes again: %s", one.data_set, site, error)
    return made


def _carry(application: "Application", one: DataSet, site: str) -> bool:
    source, target = (shelf_of(application, one.project, place) for place in (one.places[0], site))
    application.objects.copy(source, target, one.data_set, one.size)
    arrived = application.objects.seal(target, one.data_set, one.size)
    reached("data.copied")
    return not isinstance(application.perform(_copied(one.data_set, site, arrived.manifest)).result(), Refusal)


def _is_on_its_way(one: DataSet, now: int) -> bool:
    return one.stage is Stage.READY and bool(one.copying)


def _copied(data_set: str, site: str, manifest: str) -> Command:
    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        found = state.data.sets.get(data_set)
        if found is None or site not in found.copying or found.manifest != manifest:
            return Decision()
        copying = tuple(one for one in found.copying if one != site)
        event = DataSetCopied(
            data_set=data_set, project=found.project, site=site, places=(*found.places, site), copying=copying
        )
        return Decision(events=(event,))

    return decide
