"""The applier's state: what decisions read. A projection of the log like every table, and rebuilt like one."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from eisbach.app.state_billing import BillingState
from eisbach.app.state_booking import BookingState
from eisbach.app.state_data import DataState
from eisbach.app.state_energy import EnergyState
from eisbach.app.state_exit import ExitState
from eisbach.app.state_health import HealthState
from eisbach.app.state_policy import PolicyState
from eisbach.app.state_promises import PromiseState
from eisbach.app.state_shares import SharesState
from eisbach.core.admission.state import SchedulerState
from eisbach.core.billing.price_book import PriceBook
from eisbach.core.ledger.account import Names, names_of
from eisbach.core.ledger.post import Ledger
from eisbach.core.vocabulary.interval import end_of_month


class Organisation(msgspec.Struct):
    """An organisation; `name` is its text, empty once erased."""

    organisation: str
    parent: str | None
    name: str
    segment: str


@dataclass(slots=True)
class Project:
    """A project with the budget of a calendar month in micro-euro, and the last month that was opened: its name, the accounts
    of that month, and the first instant after it."""

    project: str
    organisation: str
    name: str
    budget: int
    period: str = ""
    month: Names = ("", "", "")
    until_ms: int = 0

    def __post_init__(self) -> None:
        if self.period:
            self.open(self.period)

    def open(self, period: str) -> None:
        """A month is open from now on."""
        self.period, self.month, self.until_ms = period, names_of(self.project, period), end_of_month(period)


class Token(msgspec.Struct):
    """A token: only the SHA-256 of its secret is known."""

    token: str
    role: str
    organisation: str | None
    project: str | None
    digest: str
    expires_ms: int
    is_revoked: bool = False


class Site(msgspec.Struct, kw_only=True):
    """A place with a country and an operator; `parent_country` is that of the operator's ultimate parent."""

    site: str
    country: str
    operator: str
    operator_country: str
    parent_country: str
    is_simulated: bool


@dataclass(slots=True)
class JobAccount:
    """The money of a job that has not ended.

    `cap` is the most it may ever cost, `reserved` what is set aside in `period` now. `price` is that of the current attempt's
    shape. `attempt_charged` is what that attempt was charged for `attempt_ms` chargeable milliseconds, of
    `attempt_settled_ms` that it held; `earlier_*` are the same of all attempts before it, so that a fault of ours can be taken
    back. A start was promised for `late_since_ms` (0: none was) and a cap on power broke that; for that the attempt runs `free_ms`
    uncharged.
    """

    project: str
    period: str
    prices: tuple[int, ...]
    cap: int
    reserved: int = 0
    price: int = 0
    attempt_charged: int = 0
    attempt_ms: int = 0
    attempt_settled_ms: int = 0
    earlier_weight: int = 0
    earlier_charged: int = 0
    earlier_ms: int = 0
    late_since_ms: int = 0
    free_ms: int = 0

    @property
    def weight(self) -> int:
        """Return the sum of price x charged milliseconds over all attempts."""
        return self.earlier_weight + self.price * self.attempt_ms

    @property
    def charged(self) -> int:
        """Return what the job was charged so far."""
        return self.earlier_charged + self.attempt_charged

    @property
    def charged_ms(self) -> int:
        """Return for how many held milliseconds the job was charged so far."""
        return self.earlier_ms + self.attempt_ms

    def begin_attempt(self, price: int, free_ms: int = 0) -> None:
        """Another attempt begins, on a shape of this price, and runs so long uncharged."""
        if self.attempt_settled_ms or self.attempt_ms or self.attempt_charged:  # there was one before
            self.earlier_weight += self.price * self.attempt_ms
            self.earlier_charged += self.attempt_charged
            self.earlier_ms += self.attempt_ms
            self.attempt_charged = self.attempt_ms = self.attempt_settled_ms = 0
        self.price = price
        self.free_ms, self.late_since_ms = free_ms, 0

    def use_free(self, held_ms: int) -> int:
        """An attempt is over by no fault of ours; return how much of what it held was uncharged."""
        used = min(self.free_ms, held_ms)
        self.free_ms -= used
        return used


@dataclass(slots=True, eq=False, repr=False)
class FactoryState:
    """Everything decisions read: the scheduler's part, the ledger, who there is, and where the log stands."""

    scheduler: SchedulerState = field(default_factory=SchedulerState)
    ledger: Ledger = field(default_factory=Ledger)
    accounts: dict[str, JobAccount] = field(default_factory=dict)
    organisations: dict[str, Organisation] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    token_of_digest: dict[str, str] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    prices: PriceBook = field(default_factory=PriceBook)
    origin: str = ""
    next_seq: int = 0
    last_ms: int = 0
    archives: dict[str, set[str]] = field(default_factory=dict)
    """project -> the archives it has uploaded"""
    totals: dict[str, int] = field(default_factory=dict)
    """outcome -> number of jobs that ended so, and `submitted`"""
    gpu_milli_ms: dict[str, int] = field(default_factory=dict)
    """project -> thousandths of a GPU x held milliseconds: the scheduler's own count of usage"""

    policy: PolicyState = field(default_factory=PolicyState)
    data: DataState = field(default_factory=DataState)
    energy: EnergyState = field(default_factory=EnergyState)
    billing: BillingState = field(default_factory=BillingState)
    promises: PromiseState = field(default_factory=PromiseState)
    exit: ExitState = field(default_factory=ExitState)
    health: HealthState = field(default_factory=HealthState)
    booking: BookingState = field(default_factory=BookingState)
    shares: SharesState = field(default_factory=SharesState)

    actors: dict[str, Any] = field(default_factory=dict)
    """memo of app/issue_token.py: token id -> who its holder is; what may change is asked of the token each time"""
    compiled: dict[object, Any] = field(default_factory=dict)
    """memo of app/places.py: emptied whenever a rule or the facts of a site change"""
    kinds: dict[object, Any] = field(default_factory=dict)
    """memo of app/fold_jobs.py: emptied whenever `compiled` is for a rule or a site"""
    priced: dict[object, Any] = field(default_factory=dict)
    """memo of app/submit_job.py, by places and discount: emptied whenever the fleet or the tariff changes"""
    terms: dict[object, Any] = field(default_factory=dict)
    """memo of app/submit_job.py, by project: emptied whenever `priced`, `compiled` or an agreement is another one"""
    turned_to: str = ""
    """memo of app/settle_usage.py: the month in which all accounts of jobs are, as far as it has looked"""
    outlook: Any = None
    """memo of app/outlook.py: when which nodes are free; made anew whenever the fleet changes"""

    def project_named(self, name: str) -> str | None:
        """Return the id of a project by its name or id, or None."""
        if name in self.projects:
            return name
        return next((one.project for one in self.projects.values() if one.name == name), None)
