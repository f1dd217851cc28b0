"""The composition root of the live system: a home becomes an application with real ports."""

import re
import secrets
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eisbach import __version__
from eisbach.adapters import backup_archive
from eisbach.adapters.archives import ArchiveFolder
from eisbach.adapters.backup_archive import NoBackup
from eisbach.adapters.catalogues import Catalogues
from eisbach.adapters.cedar import CedarAuthoriser
from eisbach.adapters.clocks import SystemClock
from eisbach.adapters.home_files import HomeFileError
from eisbach.adapters.home_lock import HomeLock, HomeLocked
from eisbach.adapters.home_office import INVOICES, SELLER_FILE, open_office
from eisbach.adapters.identifiers import SystemIds
from eisbach.adapters.log_keys import head_reader, read_keys, remember_key
from eisbach.adapters.object_folders import ObjectFolders
from eisbach.adapters.packages import PackageFolder
from eisbach.adapters.price_file import read_price_file, write_price_file
from eisbach.adapters.private_files import write_private
from eisbach.adapters.promise_file import read_promise_file
from eisbach.adapters.secret_files import SecretFolder
from eisbach.adapters.signing import Ed25519Signer, KeyFileError, create_key_file, load_key_file
from eisbach.adapters.site_file import SITE_FILE, check_machine, read_site_file, write_site_file
from eisbach.adapters.template_library import TemplateLibrary
from eisbach.app import issue_token, promise_register, record_observation
from eisbach.app.announce_data_set import DataLimits
from eisbach.app.application import Application, FacePorts, Keepers
from eisbach.app.bill_months import bill_last_month
from eisbach.app.check_store import check_store
from eisbach.app.commands import SYSTEM, Role
from eisbach.app.expire_files import expire_archives, expire_remains
from eisbach.app.forget_replies import forget_replies
from eisbach.app.issue_token import LIFETIME_MAX_MS, SECRET_PREFIX
from eisbach.app.open_factory import apply_site_changes, changed_nature, open_factory
from eisbach.app.promise_register import PromiseFacts
from eisbach.app.reconcile_engine import reconcile
from eisbach.app.recover_state import recover
from eisbach.app.refuse_late import refuse_late
from eisbach.app.rounds import ROUNDS, Round, RoundsThread
from eisbach.app.site_facts import SiteFacts, TariffFacts
from eisbach.app.snapshot import fingerprint
from eisbach.app.tend_data_sets import tend_data_sets
from eisbach.core.log.head import MalformedHead
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS, SECOND_MS
from eisbach.core.vocabulary.reasons import Refusal
from eisbach.engines.local.inventory import detect
from eisbach.ports.crash import ENVIRONMENT_VARIABLE, UnknownPoint, arm, reached
from eisbach.ports.engine import Ending, EngineUnavailable, Observation, Remains
from eisbach.ports.store import NewerStore, StoreDamaged, StoreFull, StoreUnavailable
from eisbach.settings import RETENTION, STORAGE, own_environment
from eisbach.stores.sql.backup import BackupRefused, backup_database
from eisbach.stores.sql.opening import open_sqlite
from eisbach.stores.sql.store import SqlStore
from eisbach.wiring_engines import engine_of_sites, local_engine, machine_as_node, meters_of_sites

DATABASE = "eisbach.db"
LOG_KEY = "log.key"
EARLIER_KEYS = "log-keys-before-restores"
OPERATOR_TOKEN = "operator.token"
PRICE_FILE = "prices.toml"
PROMISE_FILE = "promises.toml"
FOLLOWS_HEAD = "follows-head"
_TOKEN = re.compile(re.escape(SECRET_PREFIX).encode() + rb"[A-Za-z0-9_-]{32,128}")
UNFINISHED_RESTORE = "restore-unfinished"
KEPT_BY_BACKUP = (LOG_KEY, EARLIER_KEYS, OPERATOR_TOKEN, SITE_FILE, PRICE_FILE, SELLER_FILE, INVOICES, PROMISE_FILE, "archives", "imports", "secrets")


class CannotStart(Exception):
    """The home cannot be used; the message says why and what to do."""


@dataclass(slots=True)
class Factory:
    """An open home: the application, its rounds, and what `up` tells about it."""

    application: Application
    home: Path
    operator_token: Path
    gpus: Sequence[str]
    flavours: Sequence[str]
    _lock: HomeLock
    _rounds: Sequence[RoundsThread]

    def close(self) -> None:
        """Stop deciding and let go of the home; work that runs keeps running."""
        for thread in self._rounds:
            thread.stop()
        self.application.stop()
        self.application.close()
        self._lock.release()


def open_home(home: Path) -> Factory:
    """Open a home, made at its first start; raise CannotStart. Work that runs from before is taken over."""
    try:
        if crash_at := own_environment().get(ENVIRONMENT_VARIABLE):
            arm(crash_at)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = HomeLock(home)
        try:
            return _open(home, lock)
        except BaseException:
            lock.release()
            raise
    except (HomeLocked, HomeFileError, KeyFileError, UnknownPoint) as error:
        raise CannotStart(str(error)) from error
    except (StoreUnavailable, StoreDamaged, NewerStore, StoreFull, EngineUnavailable) as error:
        raise CannotStart(str(error)) from error
    except OSError as error:
        raise CannotStart(f"The home {home} cannot be used: {error.strerror}: {error.filename}") from error


def _open(home: Path, lock: HomeLock) -> Factory:
    if (home / UNFINISHED_RESTORE).exists():
        raise CannotStart(f"A restore into {home} was not finished; empty the folder and restore once more")
    _check_operator_token(home / OPERATOR_TOKEN)
    machine = detect()
    here = machine_as_node(machine)
    write_site_file(home / SITE_FILE, [here])
    write_price_file(home / PRICE_FILE)
    sites, prices = read_site_file(home / SITE_FILE, here), read_price_file(home / PRICE_FILE)
    check_machine(home / SITE_FILE, sites, here)
    promises = read_promise_file(home / PROMISE_FILE)
    office, signer = open_office(home), _signer(home)
    store = open_sqlite(home / DATABASE)
    archives = ArchiveFolder(home / "archives")
    archives.discard_unfinished()  # what a killed server left half uploaded: up to 2 GiB each
    clock, local = SystemClock(), local_engine(home)
    engine = engine_of_sites(home, local, sites, store, clock)
    engine.recover()
    application = Application(
        store=store,
        engine=engine,
        clock=clock,
        ids=SystemIds(),
        signer=signer,
        faces=FacePorts(authoriser=CedarAuthoriser(), translator=Catalogues(), templates=TemplateLibrary()),
        keepers=Keepers(
            archives=archives,
            secrets=SecretFolder(home / "secrets"),
            objects=ObjectFolders(home / "objects"),
            data_limits=DataLimits.of(STORAGE.project_gib_max, STORAGE.file_gib_max, RETENTION.uploads_days),
        ),
        isolation=local.isolation,
    )
    application.meters = meters_of_sites(sites, machine, clock)
    application.office = office
    application.packages = packages = PackageFolder(home / "imports")
    packages.discard_unfinished()
    # After a restore: what ran at the backup may have ended long ago, and nothing of it is started again. What the
    # engine of this home knows was planned since.
    known = {seen.attempt_id for seen in engine.observe()} if (home / FOLLOWS_HEAD).exists() else set()
    held = [attempt for attempt in application.applier.state.scheduler.holding if attempt not in known]
    _check_nature(application, sites)
    application.start()
    try:
        _begin(application, home, sites, signer, prices, held)
        _take_promises(application, promises)
    except BaseException:
        application.stop()
        application.close()
        raise
    rounds = _rounds(application, sites)
    for thread in rounds:
        thread.start()
    flavours = sorted({node.flavour for site in sites for node in site.nodes})
    gpus = [gpu.name for gpu in machine.gpus]
    return Factory(application, home, home / OPERATOR_TOKEN, gpus, flavours, lock, rounds)


def _rounds(application: Application, sites: Sequence[SiteFacts]) -> list[RoundsThread]:
    site_round = Round("site-file", 10 * SECOND_MS, lambda app: apply_site_changes(app, sites))
    kept_ms = RETENTION.replies_days * DAY_MS
    replies_round = Round("forget-replies", HOUR_MS, lambda app: forget_replies(app, kept_ms))
    billing_round = Round("bill-last-month", HOUR_MS, bill_last_month)
    late_round = Round("refuse-late", 60 * SECOND_MS, refuse_late)
    # Large folders take minutes to delete: on a thread of its own, so that heads are signed and usage is settled meanwhile.
    expiry_round = Round("expire-files", HOUR_MS, _expire_files)
    return [
        RoundsThread(application, (*ROUNDS, site_round, late_round, replies_round)),
        RoundsThread(application, (billing_round, expiry_round,)),
        RoundsThread(application, (Round("tend-data-sets", 2 * SECOND_MS, tend_data_sets),)),
    ]


def _check_nature(application: Application, sites: Sequence[SiteFacts]) -> None:
    site = changed_nature(application.applier.state, sites)
    if site is not None:
        application.close()
        raise CannotStart(
            f"The site {site!r} cannot change between real and simulated: the log would tell wrong what ran there. "
            f"Give it another name in {SITE_FILE}, and leave the old one out"
        )


def _expire_files(application: Application) -> None:
    kept = {
        Remains.CHECKPOINTS: RETENTION.checkpoints_days * DAY_MS,
        Remains.OUTPUTS: RETENTION.outputs_days * DAY_MS,
        Remains.LOGS: RETENTION.attempt_logs_days * DAY_MS,
    }
    expire_remains(application, kept)
    expire_archives(application, RETENTION.archives_days * DAY_MS)
    application.objects.sweep()


def _begin(
    application: Application,
    home: Path,
    sites: Sequence[SiteFacts],
    signer: Ed25519Signer,
    prices: Sequence[TariffFacts],
    held: Sequence[str],
) -> None:
    follows = home / FOLLOWS_HEAD
    follows_head = follows.read_text() if follows.exists() else ""
    open_factory(
        application,
        origin=signer.name,
        software=__version__,
        sites=sites,
        prices=prices,
        follows_head=follows_head,
    )
    if follows_head:
        _give_up_attempts(application, held)
        follows.unlink()
    reached("recover.before_token")
    _operator_token(application, home)
    reconcile(application)


def _take_promises(application: Application, promises: Sequence[PromiseFacts]) -> None:
    answer = application.perform(promise_register.command(promises)).result()
    if isinstance(answer, Refusal):
        raise CannotStart(f"{PROMISE_FILE}: {answer.what}. {answer.do}")


def stop_agent(home: Path) -> int:
    """End the resident agent of a home; return how many attempts go on without it. A folder that is no home stays as it is."""
    if not (home / DATABASE).exists():
        return 0
    engine = local_engine(home)
    try:
        running = sum(1 for seen in engine.observe() if seen.ending is None)
        engine.shut_agent_down()
    finally:
        engine.close()
    return running


def backup(home: Path, file: Path) -> None:
    """Write the home's database, keys, tokens, settings, secrets and archives into one file of mode 0600.

    Logs, outputs and checkpoints of jobs are not in it. Works while the server runs; raise CannotStart.
    """
    try:
        store = open_sqlite(home / DATABASE)
        try:
            with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as folder:
                copy = Path(folder) / DATABASE
                findings = _check_copy(home, store, copy)
                if findings:
                    raise StoreDamaged("; ".join(findings[:5]))
                members = {name: home / name for name in KEPT_BY_BACKUP if (home / name).exists()}
                backup_archive.write(file, {DATABASE: copy, **members})
        finally:
            store.close()
    except (BackupRefused, KeyFileError, StoreUnavailable, StoreDamaged, StoreFull, NewerStore, OSError) as error:
        raise CannotStart(f"The backup was not written: {error}") from error


def restore(home: Path, file: Path) -> None:
    """Make an empty home from a backup. The log goes on under a new origin and key; its next event names the old head.

    A head that was signed after the backup can so never be contradicted. A restore that did not come to its end leaves
    a home that no server opens.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(home.iterdir()):
            raise CannotStart(f"The home {home} is not empty; restore never writes over a factory")
        write_private(home / UNFINISHED_RESTORE, "")
        backup_archive.read(file, home, {DATABASE, *KEPT_BY_BACKUP})
        store = open_sqlite(home / DATABASE)
        try:
            if findings := _findings(home, store):
                raise StoreDamaged("; ".join(findings[:5]))
            head = store.head()
        finally:
            store.close()
        remember_key(home / LOG_KEY, home / EARLIER_KEYS)
        (home / LOG_KEY).rename(home / f"{LOG_KEY}.before-restore")
        write_private(home / FOLLOWS_HEAD, head[1] if head is not None else "none")
        (home / UNFINISHED_RESTORE).unlink()
    except (NoBackup, KeyFileError, StoreUnavailable, StoreDamaged, StoreFull, NewerStore, OSError) as error:
        raise CannotStart(f"Nothing usable was restored: {error}") from error


def check(home: Path) -> Sequence[str]:
    """Return what contradicts itself in a home's store, nothing where all is well; raise CannotStart."""
    try:
        with tempfile.TemporaryDirectory(dir=home, prefix=".check-") as folder:
            store = open_sqlite(home / DATABASE)
            try:
                return _check_copy(home, store, Path(folder) / DATABASE)
            finally:
                store.close()
    except StoreDamaged as error:
        return [str(error)]
    except (KeyFileError, StoreUnavailable, StoreFull, NewerStore, OSError) as error:
        raise CannotStart(f"The store could not be checked: {error}") from error


def _check_copy(home: Path, store: SqlStore, copy: Path) -> list[str]:
    """A server may go on writing, so a copy is checked; a database too damaged to copy is looked at as it is."""
    try:
        backup_database(store, copy)
    except StoreDamaged:
        return _findings(home, store)
    copied = open_sqlite(copy)
    try:
        return _findings(home, copied)
    finally:
        copied.close()


def _findings(home: Path, store: SqlStore) -> list[str]:
    try:
        keys = read_keys(home / LOG_KEY, home / EARLIER_KEYS)
    except MalformedHead as error:
        return [f"{EARLIER_KEYS}: {error}"]
    findings = [str(finding) for finding in check_store(store, read_head=head_reader(keys))]
    if not findings and fingerprint(recover(store).state) != fingerprint(recover(store, from_snapshot=False).state):
        findings.append("snapshot: the state it gives differs from the one that the whole log gives")
    return findings


def _give_up_attempts(application: Application, attempts: Sequence[str]) -> None:
    """Record as lost what ran when the backup was made."""
    for attempt in attempts:
        lost = Observation(
            attempt_id=attempt, running_since_ms=None, held_ms=0, ending=Ending.LOST, detail="the store was restored"
        )
        application.perform(record_observation.command(lost)).result()


def _check_operator_token(path: Path) -> None:
    """Raise CannotStart for a file that others can read or that holds no token: its content is about to become one."""
    if not path.exists():
        return
    if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        raise CannotStart(
            f"The operator's token in {path} has mode {mode:04o}, so others can read it. Run: chmod 600 {path}; "
            "if somebody else may have read it, revoke it (`eisbach token revoke`) after making another one"
        )
    if not _TOKEN.fullmatch(path.read_bytes().strip()):
        raise CannotStart(
            f"{path} does not hold a token of an operator ({SECRET_PREFIX} and at least 32 letters, digits, '-' and '_'). "
            "Put it back from a backup, or delete the file: the next start makes another token"
        )


def _operator_token(application: Application, home: Path) -> None:
    """Have a token for the operator: on disk before it is valid, so that a crash in between loses nothing.

    One that has expired or was revoked is replaced: whoever can start the factory must not be locked out of it.
    """
    path = home / OPERATOR_TOKEN
    _issue_operator_token(application, path)
    if application.actor_of(path.read_text().strip()) is None:
        path.unlink()
        _issue_operator_token(application, path)


def _issue_operator_token(application: Application, path: Path) -> None:
    if not path.exists():
        write_private(path, SECRET_PREFIX + secrets.token_urlsafe(32))
    command = issue_token.command(
        SYSTEM,
        role=Role.OPERATOR.value,
        label="first start",
        lifetime_ms=LIFETIME_MAX_MS,
        secret=path.read_text().strip(),
    )
    application.perform(command).result()


def _signer(home: Path) -> Ed25519Signer:
    path = home / LOG_KEY
    if path.exists():
        return load_key_file(path)
    return create_key_file(path, f"eisbach.local/{secrets.token_hex(5)}")
