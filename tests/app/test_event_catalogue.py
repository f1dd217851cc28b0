"""The catalogue of events: each kind is folded, shown and produced, or is not on purpose; none tells a tenant's text."""

import json
import os
import re
from pathlib import Path

from eisbach.app import (
    create_organisation,
    create_project,
    events,
    events_exit,
    exit_catalogue,
    fold,
    issue_token,
    keep_secret,
    projections,
    receive_archive,
    submit_job,
)
from eisbach.app.commands import SYSTEM
from eisbach.app.event_codec import open_event
from eisbach.app.events import KIND_OF, KINDS, Body
from eisbach.app.events_booking import HoldReleased, OptionHeld, QuoteGiven
from eisbach.app.events_health import NodesCommissioned
from eisbach.app.events_policy import PlacementRefused, ResidencyStated
from eisbach.app.rounds import Round
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import HOUR_MS
from tests.app.factory import a_job, new_factory
from tests.app.invariants import events_of
from tests.app.random_factory import RandomFactory
from tests.app.test_giving_way import ROUND, scattered

GOLDEN = Path(__file__).parent.parent / "golden" / "job_life.txt"

CHANGE_NO_STATE = {
    events.ServerStarted: "who led and how work was isolated, for auditors",
    events.ClockJumped: "a note; instants in the log never decrease anyway",
    events.SecretSet: "the keeper of secrets knows what there is",
    PlacementRefused: "nothing came of it",
    ResidencyStated: "a statement about what stands there already",
    events_exit.OrganisationExported: "who took everything, for auditors",
    events_exit.ExtractImported: "figures of the first factory, shown only",
    events_exit.RecordImported: "what it tells of changes the state, not the record",
}
MAKE_NO_ROWS = {
    NodesCommissioned: "its day stands in the row of each node",
    events.FactoryOpened: "the origin stands in every head",
    events.ServerStarted: "read in the log alone",
    events.ClockJumped: "read in the log alone",
    events.SecretSet: "names of secrets stand in no table",
    QuoteGiven: "forgotten when it expires; what is booked of it tells all of it again",
    OptionHeld: "as QuoteGiven",
    HoldReleased: "as QuoteGiven",
    events.PeriodOpened: "its transfers are its rows",
    events.TariffWithdrawn: "its row stays: no other version gets its name",
    ResidencyStated: "read in the log and in proofs alone",
    events_exit.OrganisationExported: "read in the log alone",
    events_exit.RecordImported: "its rows are those of the event it tells of",
}


def test_every_kind_of_body_has_one_name():
    assert set(KINDS.values()) == set(Body.__subclasses__())
    assert len(KIND_OF) == len(KINDS)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", kind) for kind in KINDS)


def test_every_kind_is_folded_or_deliberately_not():
    assert set(fold._CHANGES) | set(CHANGE_NO_STATE) == set(KINDS.values())
    assert not set(fold._CHANGES) & set(CHANGE_NO_STATE)


def test_every_kind_has_rows_or_deliberately_none():
    assert set(projections._ROWS) | set(MAKE_NO_ROWS) == set(KINDS.values())
    assert not set(projections._ROWS) & set(MAKE_NO_ROWS)


def test_every_kind_leaves_with_an_organisation_or_stays_for_a_reason():
    exported, left_out = exit_catalogue.EXPORTED, exit_catalogue.LEFT_OUT
    assert set(exported) | set(left_out) == set(KINDS)
    assert not set(exported) & set(left_out)
    assert all(left_out.values())
    owned = set(exit_catalogue.OWNER_FIELDS)
    assert all(owned & set(KINDS[kind].__struct_fields__) for kind in exported), "whose would it be?"
    assert all(field in KINDS[kind].__struct_fields__ for kind, field in exit_catalogue.MAKES.items())
    assert all("site" in KINDS[kind].__struct_fields__ for kind in exit_catalogue.AT_A_SITE)


def test_every_table_leaves_or_stays_for_a_reason():
    tables = [*exit_catalogue.TABLES, *exit_catalogue.EXTRACTS, *exit_catalogue.TABLES_LEFT_OUT]
    assert set(tables) == set(projections.PRIMARY_KEYS)
    assert len(tables) == len(set(tables))


def test_every_body_with_transfers_names_them_so():
    """Whoever posts transfers looks for the field `transfers`; a second name would be money that nobody counts."""
    carriers = {kind for kind, body in KINDS.items() if "transfers" in body.__struct_fields__}
    assert carriers == {
        "attempt.ended", "budget.set", "job.ended", "job.funded", "job.reservation_moved", "job.submitted", "period.opened", "usage.settled",
        "usage.settled_together",
        "booking.made", "booking.extended", "booking.reduced", "booking.settled", "booking.ended", "booking.closed",
    }  # fmt: skip


def test_every_kind_happens(tmp_path):
    """Random stories until each kind has been seen: a kind that no use case produces is dead, or its use case is."""
    factory, _, _ = scattered(tmp_path)  # chance seldom makes a fleet in which anybody gains by moving
    factory.run_rounds(ROUND)
    seen = {sealed.kind for sealed in events_of(factory)}
    for seed in range(40, 140):
        folder = tmp_path / str(seed)
        folder.mkdir()
        story = RandomFactory(folder, seed)
        for _ in range(120):
            story.step()
        seen |= {sealed.kind for sealed in events_of(story.factory)}
        if seen >= KINDS.keys():
            return
    assert not KINDS.keys() - seen


TELLTALE = "Zugspitze"


def told_everywhere(factory):
    """Put a recognisable word into every text that a tenant can give; return how many places that were."""
    org = factory.perform(create_organisation.command(SYSTEM, name=f"{TELLTALE} GmbH"))["organisation"]
    project = factory.perform(
        create_project.command(SYSTEM, organisation=org, name=f"{TELLTALE}-project", budget_micro_eur=1000 * EURO)
    )["project"]
    issued = factory.perform(issue_token.command(SYSTEM, role="member", project=project, label=f"{TELLTALE} laptop"))
    put = Round("put", 1, lambda app: keep_secret.store(app, SYSTEM, project, TELLTALE, f"value of {TELLTALE}"))
    factory.run_rounds(put)
    factory.perform(receive_archive.command(SYSTEM, project=project, archive="sha256:00", size=1))
    spec = a_job(
        f"echo {TELLTALE}; sleep 10; exit 3",
        name=f"{TELLTALE}-job",
        setup=f"echo {TELLTALE}",
        envs=((TELLTALE, f"{TELLTALE} value"),),
        secrets=(TELLTALE, f"ALIAS={TELLTALE}"),
        outputs=(f"{TELLTALE}/out",),
        attempts=2,
    )
    for _ in range(3):
        assert factory.perform(submit_job.command(SYSTEM, project=project, spec=spec))["job"]
    return project, issued["secret"]


def test_no_event_tells_what_a_tenant_wrote(factory):
    project, secret = told_everywhere(factory)
    factory.pass_time(HOUR_MS)
    factory.run_rounds()
    factory = factory.restart(crash=False)
    log = events_of(factory)
    assert {"job.submitted", "secret.set", "token.issued", "attempt.ended", "archive.received"} <= {one.kind for one in log}
    for sealed in log:
        assert TELLTALE.encode() not in sealed.data, sealed.data
        assert secret.encode() not in sealed.data
    assert TELLTALE in factory.store.row("projects", project)["name"], "the tables show it, as long as it is not erased"


def test_no_snapshot_tells_it_either(factory):
    told_everywhere(factory)
    factory.app.stop()
    assert TELLTALE.encode() not in factory.store.load_snapshot()[1]


def test_a_commitment_cannot_be_guessed_from_its_text(factory):
    """Each has a salt of its own: the same name twice gives two commitments."""
    for _ in range(2):
        factory.submit(a_job(name="same", run="true"))
    commitments = [
        open_event(sealed.data).body.spec for sealed in events_of(factory) if sealed.kind == "job.submitted"
    ]
    assert len(set(commitments)) == 2


def test_one_job_can_be_read_in_its_events(tmp_path):
    """Two tasks, an hour settled, a fault of ours, a retry, the end: the whole life as the log tells it."""
    factory = new_factory(tmp_path, start_ms=2000)
    job = factory.submit(a_job("sleep 5000", nodes=2, cpus=2, limit_s=7200, grace_s=30))
    factory.pass_time(HOUR_MS + 5000)
    factory.run_rounds()
    factory.engine.lose(factory.attempts(job)[0]["attempt"])
    factory.settle()
    factory.pass_time(2 * HOUR_MS)
    text = "".join(in_words(open_event(sealed.data)) for sealed in factory.store.events_of(job))
    if os.environ.get("EISBACH_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "if this is meant: EISBACH_GOLDEN=write python -m pytest " + __file__


def in_words(opened):
    """One event as a person reads it: its place and kind, then a line for each field."""
    lines = [f"event {opened.seq} at {opened.at_ms}: {opened.kind}"]
    for name in opened.body.__struct_fields__:
        value = getattr(opened.body, name)
        if name == "transfers":
            lines += [f"  {kind} {amount}: {debit} -> {credit}" for debit, credit, amount, kind in value]
        else:
            lines.append(f"  {name}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def test_amounts_and_instants_carry_their_unit():
    """Whoever reads a leaf in ten years has nothing else to go by."""
    bare = {"time", "at", "since", "until", "limit", "grace", "duration", "memory", "cpu"}
    assert not {f"{kind}: {name}" for kind, body in KINDS.items() for name in body.__struct_fields__ if name in bare}
