"""An upload is announced: what comes, how large it is, whose it is; its bytes count against the quota from here on."""


import msgspec

from eisbach.app.check_place import Forbidden, against, refusal_of, refused
from eisbach.app.commands import Actor, Command, Context, Decision, Role
from eisbach.app.events_data import DataSetAnnounced
from eisbach.app.places import compiled_for
from eisbach.app.state import FactoryState
from eisbach.app.state_data import DataClass
from eisbach.app.texts import commit_to
from eisbach.core.jobs.placement import NO_RULE, PlacementRule
from eisbach.core.vocabulary.countries import expand, is_country_or_group
from eisbach.core.vocabulary.quantities import DAY_MS
from eisbach.core.vocabulary.reasons import Reason, Refusal

GIB = 1024**3
NAME_BYTES_MAX = 200
LICENCE_CHARACTERS_MAX = 200
KEEP_DAYS_MAX = 36_500
COUNTRIES_MAX = 60


class DataLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a project may hold and one file may have, in bytes, and how long an upload may take."""

    project_bytes_max: int = 500 * GIB
    file_bytes_max: int = 100 * GIB
    upload_ms_max: int = 7 * DAY_MS

    @classmethod
    def of(cls, project_gib_max: int, file_gib_max: int, upload_days: int) -> "DataLimits":
        """Return limits given in the units that people set them in."""
        return cls(
            project_bytes_max=project_gib_max * GIB, file_bytes_max=file_gib_max * GIB, upload_ms_max=upload_days * DAY_MS
        )


class NewDataSet(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says about a file before it comes; `keep_days` None: until it is deleted."""

    name: str
    size: int
    data_class: str = DataClass.CUSTOMER.value
    licence: str = ""
    keep_days: int | None = None
    countries: tuple[str, ...] = ()
    site: str | None = None


def command(actor: Actor, *, project: str, new: NewDataSet, limits: DataLimits) -> Command:
    """Return the command that begins an upload. Its reply holds no text, so that no kept answer outlives an erasure."""

    def decide(state: FactoryState, context: Context) -> Decision | Refusal:
        if project not in state.projects:
            return Refusal(Reason.NOT_FOUND, f"There is no project {project!r}", "Look at `eisbach project list`")
        problem = check(new, actor.role, limits) or _over_quota(state, project, new.size, limits)
        if problem is not None:
            return problem
        site = new.site if new.site is not None else next(iter(state.sites), "")
        if site not in state.sites:
            return no_such_site(site)
        forbidden = _forbidden(state, project, new, site)
        if forbidden is not None:
            return refused(state, actor, forbidden.refusal, forbidden.findings, project=project)
        data_set = context.ids.new("dset", context.now)
        name, name_text = commit_to(context.ids, f"{data_set}/name", new.name)
        licence, licence_text = commit_to(context.ids, f"{data_set}/licence", new.licence)
        event = DataSetAnnounced(
            data_set=data_set,
            project=project,
            site=site,
            name=name,
            licence=licence if new.licence else "",
            data_class=new.data_class,
            size=new.size,
            keep_ms=None if new.keep_days is None else new.keep_days * DAY_MS,
            expires_ms=context.now + limits.upload_ms_max,
            countries=expand(new.countries),
            by=actor.token,
        )
        texts = (name_text, licence_text) if new.licence else (name_text,)
        reply = {"data_set": data_set, "project": project, "size": new.size, "expires_ms": event.expires_ms}
        return Decision(events=(event,), texts=texts, reply=reply, status=201)

    return decide


def _forbidden(state: FactoryState, project: str, new: NewDataSet, site: str) -> Forbidden | None:
    """Return why rules forbid a site for a file that is about to come; its own rule holds as well."""
    compiled = compiled_for(state, project, PlacementRule(countries=expand(new.countries)) if new.countries else NO_RULE)
    if compiled.allows(site):
        return None
    findings = against(compiled, [site])
    return Forbidden(refusal_of(state, "copy", [site], findings, "site"), findings)


def no_such_site(site: str) -> Refusal:
    """Return the refusal of a site that the factory does not have."""
    return Refusal(Reason.NOT_FOUND, f"There is no site {site!r}", "Look at `eisbach offers`", "site")


def check(new: NewDataSet, role: Role, limits: DataLimits) -> Refusal | None:
    """Return why a file cannot become a data set, or None."""
    return _check_name(new.name) or _check_size(new.size, limits) or _check_facts(new, role)


def _check_name(name: str) -> Refusal | None:
    """A name becomes the name of a file in a task's workspace."""
    length = len(name.encode("utf-8", "replace"))
    if not name or name != name.strip() or not name.isprintable() or length > NAME_BYTES_MAX:
        what = f"The name of the data set has {length} bytes" if length > NAME_BYTES_MAX else f"{name!r} cannot be its name"
        do = f"Use 1 to {NAME_BYTES_MAX} bytes of printable characters, no space at either end"
        return Refusal(Reason.INVALID_ARGUMENT, what, do, "name", {"bytes": length, "bytes_max": NAME_BYTES_MAX})
    if "/" in name or "\\" in name or name in (".", "..") or name.startswith("dset_"):
        what = f"{name!r} is not the plain name of a file"
        return Refusal(Reason.INVALID_ARGUMENT, what, "Leave out folders, and do not begin it like an id (`dset_`)", "name")
    return None


def _check_size(size: int, limits: DataLimits) -> Refusal | None:
    if size <= 0:
        what = "The file is empty (0 bytes)" if size == 0 else f"A file cannot have {size} bytes"
        return Refusal(Reason.INVALID_ARGUMENT, what, "Send a file with content, and say how many bytes it has", "size")
    if size > limits.file_bytes_max:
        what = f"The file has {size} bytes and one data set may have {limits.file_bytes_max}"
        values = {"bytes": size, "bytes_max": limits.file_bytes_max}
        return Refusal(Reason.TOO_LARGE, what, "Split it into several data sets", "size", values)
    return None


def _check_facts(new: NewDataSet, role: Role) -> Refusal | None:
    known = {one.value for one in DataClass}
    own = known if role is Role.OPERATOR else {DataClass.CUSTOMER.value, DataClass.DERIVED.value}
    if new.data_class not in own:
        others = " (account and provider data are the operator's)" if new.data_class in known else ""
        what = f"{new.data_class[:40]!r} is no class of data that you can choose{others}"
        return Refusal(Reason.INVALID_ARGUMENT, what, f"Choose {' or '.join(sorted(own))}", "data_class")
    if len(new.licence) > LICENCE_CHARACTERS_MAX or not new.licence.isprintable():
        what = f"The licence has {len(new.licence)} characters, or some that cannot be printed"
        return Refusal(Reason.INVALID_ARGUMENT, what, "Give its SPDX id or a short sentence", "licence")
    if new.keep_days is not None and not 1 <= new.keep_days <= KEEP_DAYS_MAX:
        what = f"A data set cannot be kept for {new.keep_days} days"
        return Refusal(Reason.INVALID_ARGUMENT, what, f"Give 1 to {KEEP_DAYS_MAX} days, or nothing to keep it", "keep_days")
    wrong = [one for one in new.countries if not is_country_or_group(one)]
    if wrong or len(new.countries) > COUNTRIES_MAX:
        what = f"{wrong[0][:40]!r} is no country" if wrong else f"{len(new.countries)} countries are more than {COUNTRIES_MAX}"
        return Refusal(Reason.INVALID_ARGUMENT, what, "Give codes of ISO 3166-1 such as DE, or EU, EEA", "countries")
    return None


def _over_quota(state: FactoryState, project: str, more: int, limits: DataLimits) -> Refusal | None:
    return over_quota(state.data.bytes_held.get(project, 0), more, limits)


def over_quota(held: int, more: int, limits: DataLimits) -> Refusal | None:
    """Return the refusal of `more` bytes beside `held` ones, or None where the project's quota has room for them."""
    most = limits.project_bytes_max
    if held + more <= most:
        return None
    return Refusal(
        Reason.OVER_QUOTA,
        f"The project holds {held} of at most {most} bytes, so {max(0, most - held)} are free and {more} are needed",
        "Delete data sets that are no longer needed, or ask the operator for a larger quota",
        "size",
        {"held_bytes": held, "quota_bytes": most, "needed_bytes": more},
    )
