"""All commands: their names, where each is defined, and its line of help. A module is imported when its command runs.

This is the one place with lazy imports of commands: it is what keeps `eisbach --help` fast.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: `path` as typed, `target` as `module:function` below eisbach.cli, `help` as in the list."""

    path: str
    target: str
    help: str


class Section(NamedTuple):
    """Commands that belong together in the list."""

    title: str
    entries: tuple[Entry, ...]


SECTIONS = (
    Section(
        "The factory",
        (
            Entry("up", "up:up", "Start a factory on this machine."),
            Entry("down", "down:down", "Stop the factory here; work that runs goes on."),
            Entry("offers", "offers:offers", "List what can be had here, where, and at what price."),
            Entry("promises", "promises:promises", "Show public promises and whether they are kept."),
            Entry("site list", "sites:list_sites", "List the sites and under whose law each one is."),
            Entry("site show", "sites:show_site", "Show one site: countries, operator, what stands there."),
            Entry("site check", "site_files:check_site", "Check a site file: everything that is wrong in it, at once."),
            Entry("prices list", "prices:list_prices", "List the versions of the prices with their validity."),
            Entry("prices show", "prices:show_prices", "Show a version of the prices."),
            Entry("node list", "nodes:list_nodes", "List the nodes, what of them is free, and what runs there."),
            Entry("node show", "nodes:show_node", "Show one node: how it is, what runs there, what happened to it."),
            Entry("node cordon", "node_acts:cordon", "Start nothing more on nodes; what runs there stays as long as it likes."),
            Entry("node uncordon", "node_acts:uncordon", "Use cordoned nodes again."),
            Entry("node drain", "node_acts:drain", "Start nothing more on nodes; what runs there moves, now or by a deadline."),
            Entry("node resume", "node_acts:resume", "Use drained nodes again."),
            Entry("node lost", "node_acts:lost", "Say that nodes are lost: what ran there starts again elsewhere."),
            Entry("node repair", "node_acts:repair", "Say that lost or suspect nodes are healthy again."),
            Entry("node maintain", "closures:maintain", "Announce a maintenance window: it begins and ends by itself."),
            Entry("node maintenance list", "closures:list_closures", "List maintenance windows and drains by a deadline."),
            Entry("node maintenance cancel", "closures:cancel", "Cancel a maintenance window or a drain, or end it early."),
            Entry("scheduler show", "scheduler:show_policy", "Show the policy by which the scheduler decides, and how many starts are promised."),
            Entry("scheduler set", "scheduler:set_policy", "Set the policy by which the scheduler decides."),
            Entry("site power", "site:power", "Show what a site drew by hour, its figures and its cap."),
            Entry("site stream", "site:stream", "Show how a site warmed its stream, and its permit."),
            Entry("site heat", "site:heat", "Show the heat that a site gave to its quarter."),
            Entry("site cap", "site:cap", "Cap the power of a site; spot work gives way first."),
            Entry("report fragmentation", "report:fragmentation", "Show what is free and in pieces, in GPUs and euro, and what moving spot aside brought."),
            Entry("backup", "store_files:backup", "Write the whole home into one file; it may be in use."),
            Entry("restore", "store_files:restore", "Make a home from a backup; the log starts a new origin."),
            Entry("db check", "store_files:check", "Recompute the store's log, tables and sums."),
        ),
    ),
    Section(
        "Who and how much",
        (
            Entry("login", "login:login", "Remember a factory and a token for this command line."),
            Entry("org create", "organisations:create", "Create an organisation."),
            Entry("org list", "organisations:list_organisations", "List the organisations."),
            Entry("org billing show", "invoices:show_billing", "Show whom an organisation's invoices go to."),
            Entry("org billing set", "invoices:set_billing", "Say whom an organisation's invoices go to."),
            Entry("org export", "exits:export", "Write everything of an organisation into one package."),
            Entry("org import", "exits:import_package", "Take an organisation in from another factory's package."),
            Entry("org verify-import", "exits:verify_import", "Compare an imported organisation with its package."),
            Entry("project create", "projects:create", "Create a project with a monthly budget."),
            Entry("project list", "projects:list_projects", "List the projects with budget, charges and what is left."),
            Entry("project set-budget", "projects:set_budget", "Change the monthly budget of a project."),
            Entry("project use", "projects:use", "Make a project the default of this command line."),
            Entry("share list", "shares:list_shares", "List who is due how much of the factory, who had how much, and whose turn it is."),
            Entry("share set", "shares:set_share", "Set the share of a segment, an organisation or a project among its siblings."),
            Entry("share remove", "shares:remove_share", "Give a segment, an organisation or a project the usual weight again."),
            Entry("quota list", "shares:list_quotas", "List the quotas and agreements, and what is held against them."),
            Entry("quota set", "shares:set_quota", "Set how many GPUs an organisation or a project may hold at once."),
            Entry("quota remove", "shares:remove_quota", "Let an organisation or a project hold as much at once as there is."),
            Entry("agreement set", "shares:set_agreement", "Set what an organisation has committed to, and its part of the list price."),
            Entry("portal", "portal:portal", "Print fresh links into the web portal; each works once."),
            Entry("token create", "tokens:create", "Create a token; its secret is shown once."),
            Entry("token list", "tokens:list_tokens", "List the tokens, without their secrets."),
            Entry("token revoke", "tokens:revoke", "Revoke a token at once."),
            Entry("secret set", "project_secrets:set_secret", "Store a secret, read from stdin or a prompt."),
            Entry("secret list", "project_secrets:list_secrets", "List the names of the project's secrets."),
            Entry("secret delete", "project_secrets:delete", "Delete a secret of the project."),
        ),
    ),
    Section(
        "Where",
        (
            Entry("policy set", "policy:set_rule", "Set the placement rule of an organisation or a project."),
            Entry("policy show", "policy:show_rules", "Show the rules of an organisation or a project, and the sites they leave."),
            Entry("policy check", "policy:check", "Say whether the rules allow a site."),
            Entry("policy violations", "policy:violations", "List what was found where rules forbid it."),
            Entry("policy targets", "policy:targets", "List where logs and backups were written."),
            Entry("policy clear", "policy:clear", "Record your word that no log, or no backup, is kept at a site any more."),
        ),
    ),
    Section(
        "Work",
        (
            Entry("init", "init:init", "Write a template that runs as it is into a new folder."),
            Entry("run", "run:run", "Run a task file or a command: plan, price, then its log."),
            Entry("quote", "bookings:quote", "Ask for up to five ways to have nodes for a time, with prices that hold for a while."),
            Entry("quote hold", "bookings:hold", "Keep the nodes of an option for some minutes, at no price."),
            Entry("quote release", "bookings:release", "Let a held option go before its time."),
            Entry("book", "bookings:book", "Book an option of a quote and set its price aside; the same option once more gives the same booking."),
            Entry("bookings", "bookings:list_bookings", "List the bookings of the project."),
            Entry("booking show", "bookings:show_booking", "Show a booking, and what cancelling it would cost now."),
            Entry("booking cancel", "bookings:cancel", "Cancel a booking; what that costs follows from the rules of its quote, and is shown first."),
            Entry("booking extend", "bookings:extend", "Make a booking longer on its nodes, at a price that is quoted first."),
            Entry("ps", "jobs:ps", "List the jobs of the project."),
            Entry("status", "jobs:status", "Show one job with its attempts."),
            Entry("why", "jobs:why", "Say what a job waits for, or why it ended."),
            Entry("logs", "logs:logs", "Print the log of a job."),
            Entry("cancel", "jobs:cancel", "Cancel a job: signal, grace, end."),
            Entry("data put", "data_sets:put", "Send a file and keep it as a data set."),
            Entry("data list", "data_sets:list_data_sets", "List the data sets of the project."),
            Entry("data show", "data_sets:show_data_set", "Show one data set with its hashes and places."),
            Entry("data get", "data_sets:get", "Download a data set and check its hash."),
            Entry("data copy", "data_sets:copy", "Copy a data set to a further site."),
            Entry("data delete", "data_sets:delete", "Delete a data set at all its places for good."),
            Entry("data certificate", "data_sets:certificate", "Write the certificate of a data set's deletion, with the log's proofs."),
            Entry("data check", "data_sets:check", "Check a certificate of deletion offline."),
            Entry("data verify", "data_sets:verify", "Have every byte of a data set read again."),
            Entry("artifacts list", "artifacts:list_artifacts", "List the files that a job left."),
            Entry("artifacts get", "artifacts:get", "Download the files that a job left."),
        ),
    ),
    Section(
        "Money and proof",
        (
            Entry("cost", "cost:cost", "Show what a project, or one job by attempt, was charged."),
            Entry("energy", "energy:energy", "Show what a job, or a project in a month, drew: kWh and CO2."),
            Entry("invoice list", "invoices:list_invoices", "List the invoices and credit notes of an organisation."),
            Entry("invoice show", "invoices:show_invoice", "Show an invoice with its lines."),
            Entry("invoice download", "invoices:download", "Download an invoice as XRechnung (XML)."),
            Entry("invoice issue", "invoices:issue", "Issue an invoice for what is not billed yet of a month."),
            Entry("invoice credit", "invoices:credit", "Issue a credit note for an invoice, in part or whole."),
            Entry("prove residency", "prove:residency", "Write the proof of where a job was, by which rules, and where its traces are."),
            Entry("prove check", "prove:check", "Check a proof of residency offline, and evaluate its rules again."),
            Entry("audit verify", "audit:verify", "Check the factory's log, or an audit bundle offline."),
            Entry("audit prove", "audit:prove", "Write the proof of a job's events in the signed log."),
            Entry("audit export", "audit:export", "Write the whole log with its signed head."),
        ),
    ),
    Section(
        "The twin",
        (
            Entry("twin run", "twin:run", "Play a site with a trace or imagined demand; simulated."),
            Entry("twin replay", "twin:replay", "Replay a trace on equal nodes, or the factory's own past; simulated."),
            Entry("twin explore", "explore:explore", "Try random small factories with crashes; check every invariant."),
            Entry("twin compare", "twin:compare", "Compare two results of the twin; simulated."),
            Entry("twin pack", "twin_pack:pack", "Pack pods that never leave on a list of nodes; simulated."),
        ),
    ),
    Section("This program", (Entry("version", "version:version", "Print the versions of client and factory."),)),
)
ENTRIES = tuple(entry for section in SECTIONS for entry in section.entries)
GROUPS = {
    "site": "Sites: where there is capacity, under whose law; power, stream, heat.",
    "prices": "The price book.",
    "node": "Nodes of the factory.",
    "node maintenance": "Maintenance windows, and drains by a deadline.",
    "db": "The store of the factory on this machine.",
    "org": "Organisations.",
    "org billing": "Whom an organisation's invoices go to.",
    "project": "Projects and their budgets.",
    "booking": "Bookings of the project.",
    "scheduler": "The policy by which jobs start.",
    "share": "Fair shares of segments, organisations and projects.",
    "quota": "What organisations and projects may hold at once.",
    "agreement": "What organisations have committed to.",
    "report": "Reports for the operator.",
    "token": "Tokens: who may do what.",
    "secret": "Secrets of a project: given to its jobs as environment variables, never shown.",
    "policy": "Rules about places: countries, operators, sites, dedicated nodes.",
    "data": "Data sets of a project: files that its jobs work with.",
    "artifacts": "Files that jobs leave.",
    "invoice": "Invoices and credit notes, as XRechnung.",
    "prove": "Proofs for outsiders, checked without the factory.",
    "audit": "The tamper-evident log.",
    "twin": "The twin: the same scheduler on a virtual clock. Everything it prints is simulated.",
}
