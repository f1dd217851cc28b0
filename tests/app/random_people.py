"""What customers and their administrators do at random: jobs, budgets, tokens, rules, invoices, moving house."""

from dataclasses import replace

from msgspec import structs

from eisbach.adapters.promise_file import SHIPPED, read_promise_file
from eisbach.app import (
    cancel_job,
    create_project,
    credit_invoice,
    issue_invoice,
    issue_token,
    keep_secret,
    promise_register,
    prove_residency,
    receive_archive,
    set_billing,
    set_budget,
    set_rules,
    set_shares,
    submit_job,
)
from eisbach.app.commands import SYSTEM, IdempotencyKey
from eisbach.app.export_organisation import Export
from eisbach.app.rounds import Round
from eisbach.core.jobs.placement import NO_RULE
from eisbach.core.vocabulary.interval import month_of
from eisbach.core.vocabulary.money import EURO
from eisbach.core.vocabulary.quantities import DAY_MS, HOUR_MS
from eisbach.core.vocabulary.reasons import Refusal
from tests.app.billing import FIRM
from tests.app.factory import a_job, new_factory
from tests.app.leaving import begun, exported, imported, key_of, organisation_of
from tests.app.random_story import RandomStory


class RandomPeople(RandomStory):
    """What customers and their administrators do at random: jobs, budgets, tokens, rules, invoices, moving house."""

    def submit(self) -> str:
        spec, project = self.a_spec(), self.chance.choice(self.projects)
        return self.took(self.factory.perform(submit_job.command(SYSTEM, project=project, spec=spec)))

    def submit_many(self) -> str:
        """Several requests in one batch, some with a key that comes twice."""
        asked = []
        for number in range(self.chance.randint(2, 6)):
            project, spec = self.chance.choice(self.projects), self.a_spec()
            key = IdempotencyKey(scope=project, key=f"{self.factory.clock.now()}-{number // 2}", body_digest=repr(spec))
            command = submit_job.command(SYSTEM, project=project, spec=spec)
            asked.append(self.factory.app.perform(command, key if self.chance.random() < 0.3 else None))
        self.factory.settle()
        return "; ".join(self.took(one.result(timeout=0)) for one in asked)

    def cancel(self) -> str:
        job = self.an_active()
        if job is not None:
            self.factory.perform(cancel_job.command(SYSTEM, job=job))
        return str(job)

    def budget(self) -> str:
        project, euro = self.chance.choice(self.projects), self.chance.choice([0, 0.05, 0.5, 2, 10, 1000])
        self.factory.perform(set_budget.command(SYSTEM, project=project, budget_micro_eur=round(euro * EURO)))
        return f"{project} {euro} EUR"

    def new_project(self) -> str:
        state = self.factory.app.applier.state
        organisation = next(iter(state.organisations))
        name, euro = f"project {len(self.projects)}", self.chance.choice([0.2, 3, 500])
        made = self.factory.perform(
            create_project.command(SYSTEM, organisation=organisation, name=name, budget_micro_eur=round(euro * EURO))
        )
        self.projects.append(made["project"])
        return str(made["project"])

    def tokens(self) -> str:
        issued = self.factory.perform(issue_token.command(SYSTEM, role="member", project=self.projects[0], label="a label"))
        if self.chance.random() < 0.5:
            self.factory.perform(issue_token.revoke(SYSTEM, token=issued["token"]))
        return str(issued["token"])

    def secrets(self) -> str:
        project = self.projects[0]
        put = Round("secret", 1, lambda app: keep_secret.store(app, SYSTEM, project, "NAME", "value"))
        self.factory.run_rounds(put)
        return project

    def archive(self) -> str:
        digest = f"sha256:{self.chance.randbytes(32).hex()}"
        for _ in range(2):
            self.factory.perform(receive_archive.command(SYSTEM, project=self.projects[0], archive=digest, size=9))
        return digest

    def leave(self) -> str:
        """The first organisation is exported, whatever runs meanwhile."""
        export = begun(self.factory, organisation_of(self.factory))
        assert isinstance(export, Export), str(export)
        return f"{len(export.owned.finished())} events"

    def come(self) -> str:
        """An organisation comes from another factory, the second time in vain; its project goes on with the others."""
        folder = self.factory.folder / "elsewhere"
        if not folder.exists():
            folder.mkdir()
            elsewhere = new_factory(folder, seed=self.factory.seed + 77)
            elsewhere.submit(a_job("sleep 60", cpus=2))
            elsewhere.pass_time(HOUR_MS)
            elsewhere.run_rounds()
            exported(elsewhere, organisation_of(elsewhere), folder / "package.tar")
            (folder / "key").write_text(key_of(elsewhere))
            self.projects.append(elsewhere.project)
        answer = imported(self.factory, folder / "package.tar", (folder / "key").read_text())
        return "new" if answer["is_new"] else "here already"

    def promises(self) -> str:
        """The register of promises as shipped, with a promise less, or with a figure that somebody made smaller."""
        shipped = list(read_promise_file(SHIPPED))
        kind = self.chance.choice(["shipped", "less", "edited"])
        if kind == "less":
            shipped.pop(self.chance.randrange(len(shipped)))
        elif kind == "edited":
            first = shipped[0].wordings[0]
            shipped[0] = structs.replace(shipped[0], wordings=(structs.replace(first, value_milli=first.value_milli // 2),))
        self.factory.perform(promise_register.command(shipped))
        return kind

    def shares(self) -> str:
        """Somebody gets another share, quota or agreement, or none any more."""
        state, chance = self.factory.app.applier.state, self.chance
        owner = chance.choice([*self.projects, *state.organisations])
        command = chance.choice(
            [
                set_shares.set_share(SYSTEM, owner=chance.choice([owner, "enterprise"]), weight=chance.choice([None, 0, 7])),
                set_shares.set_quota(SYSTEM, owner=owner, gpu_milli=chance.choice([None, 0, 2000])),
                set_shares.set_agreement(
                    SYSTEM, organisation=next(iter(state.organisations)), gpu_milli=chance.choice([0, 3000]), price_permille=1000
                ),
            ]
        )
        return str(self.factory.perform(command))

    def rule(self) -> str:
        """Somebody sets a rule, or takes it away; what runs where it may not is found by the round."""
        state = self.factory.app.applier.state
        owner = self.chance.choice([*self.projects, *state.organisations])
        rule = self.chance.choice([NO_RULE, NO_RULE, *self.some_rules()])
        answer = self.factory.perform(set_rules.command(SYSTEM, owner=owner, rule=rule))
        return f"{owner} {answer}"

    def prove(self) -> str:
        """Somebody wants to know where the last job was."""
        if not self.jobs:
            return "nothing"
        self.factory.run_rounds(Round("prove", 1, lambda app: prove_residency.bundle(app, SYSTEM, self.jobs[-1])))
        return self.jobs[-1]

    def address(self) -> str:
        """Somebody says whom invoices go to, mostly all of it."""
        buyer = replace(FIRM, city=self.chance.choice(["Berlin", "Berlin", ""]))
        command = set_billing.command(SYSTEM, organisation=self.an_organisation(), buyer=buyer, seller_country="DE")
        self.factory.perform(command)
        return buyer.city

    def invoice(self) -> str:
        """The month that runs, or the one before, is billed."""
        now, organisation = self.factory.clock.now(), self.an_organisation()
        period = month_of(self.chance.choice([now, now - 31 * DAY_MS]))
        answer = self.factory.call(lambda app: issue_invoice.issue(app, SYSTEM, organisation, period))
        return str(answer.reason.value if isinstance(answer, Refusal) else answer["invoice"])

    def credit(self) -> str:
        """Some of an invoice is taken back, or all that is left of it."""
        rows = self.factory.store.rows("invoices", {"kind": "invoice"}).rows
        if not rows:
            return "nothing"
        number, cents = self.chance.choice(rows)["invoice"], self.chance.choice([1, None])
        answer = self.factory.call(lambda app: credit_invoice.credit(app, SYSTEM, number, cents, "a reason"))
        return str(answer.reason.value if isinstance(answer, Refusal) else answer["invoice"])
