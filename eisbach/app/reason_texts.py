"""The words for each reason: a short name, what to do, and for some a sentence built from the refusal's values.

The English texts here are the source; `locale/de/reasons.po` has the German ones. A new reason needs a title and an
advice here, and `scripts/catalogues` then says what is still to be translated.
"""

from collections.abc import Mapping

from eisbach.core.vocabulary.reasons import Reason
from eisbach.ports.translator import N_

TITLES: Mapping[Reason, str] = {
    Reason.INVALID_TASK: N_("The task is wrong in itself"),
    Reason.UNKNOWN_KEY: N_("A key nobody knows"),
    Reason.NOT_SUPPORTED: N_("Not possible here"),
    Reason.INVALID_ARGUMENT: N_("A value is not possible"),
    Reason.INVALID_ARCHIVE: N_("The archive may not be unpacked"),
    Reason.TOO_LARGE: N_("Too large"),
    Reason.METHOD_NOT_ALLOWED: N_("Not possible at this address"),
    Reason.LIMIT_ABOVE_MAXIMUM: N_("The time limit is above the maximum"),
    Reason.NO_SUCH_FLAVOUR: N_("Nothing here offers what was asked for"),
    Reason.MORE_THAN_ANY_NODE: N_("More than any node has"),
    Reason.MORE_THAN_THE_SITE: N_("More than the site has"),
    Reason.ONLY_SIMULATED: N_("Only simulated sites have it"),
    Reason.NO_PRICE: N_("There is no price for it"),
    Reason.UNAUTHENTICATED: N_("Not signed in"),
    Reason.FORBIDDEN: N_("Not permitted"),
    Reason.NOT_FOUND: N_("Not found"),
    Reason.PLACEMENT_FORBIDDEN: N_("The rules leave it no place now"),
    Reason.RESIDENCY_FORBIDDEN: N_("The rules forbid this place"),
    Reason.NAME_TAKEN: N_("The name is in use"),
    Reason.ALREADY_ENDED: N_("The job is over"),
    Reason.IDEMPOTENCY_CONFLICT: N_("Sent before with other content"),
    Reason.MISSING_SECRET: N_("The project lacks a secret"),
    Reason.OVER_BUDGET: N_("Above the month's budget"),
    Reason.BUDGET_RESERVED: N_("The budget is set aside for other jobs"),
    Reason.BUDGET_REACHED: N_("The budget is used up"),
    Reason.NOTHING_TO_BILL: N_("Nothing to bill"),
    Reason.BILLING_DETAILS_MISSING: N_("The invoice has no complete address"),
    Reason.CREDIT_TOO_LARGE: N_("More than is left of the invoice"),
    Reason.NO_VAT_RATE: N_("No VAT rate is known"),
    Reason.CAPACITY_BUSY: N_("Waits for free capacity"),
    Reason.BEHIND_PROMISE: N_("Would delay a job that stands before it"),
    Reason.NODES_UNAVAILABLE: N_("No node is available for it"),
    Reason.RETRY_DELAY: N_("The next attempt begins after a pause"),
    Reason.STARTING: N_("Is starting"),
    Reason.SUCCEEDED: N_("Succeeded"),
    Reason.TASK_FAILED: N_("The task failed"),
    Reason.CANCELLED: N_("Cancelled"),
    Reason.TIMED_OUT: N_("The time limit was reached"),
    Reason.OUT_OF_MEMORY: N_("Needed more memory than was booked"),
    Reason.ENGINE_LOST_IT: N_("Lost through no fault of yours"),
    Reason.NODE_DRAINED: N_("The operator needed the node"),
    Reason.PREEMPTED: N_("Spot capacity was needed"),
    Reason.DISK_FULL: N_("A disk of the factory is full"),
    Reason.STORE_FULL: N_("The factory's disk is full"),
    Reason.STORE_UNAVAILABLE: N_("The factory's store cannot be reached"),
    Reason.NOT_LEADER: N_("This server is stopping"),
    Reason.OVERLOADED: N_("Too much at once"),
    Reason.INTERNAL_ERROR: N_("The factory made a mistake"),
}

ADVICE: Mapping[Reason, str] = {
    Reason.INVALID_TASK: N_("Correct the named key of the task."),
    Reason.UNKNOWN_KEY: N_("Leave the key out or write it as suggested."),
    Reason.NOT_SUPPORTED: N_("Do it the way the message suggests."),
    Reason.INVALID_ARGUMENT: N_("Correct the named value and send it again."),
    Reason.INVALID_ARCHIVE: N_("Pack the folder again without links or paths that lead out of it."),
    Reason.TOO_LARGE: N_("Send less, or in parts."),
    Reason.METHOD_NOT_ALLOWED: N_("Use one of the methods that the address knows."),
    Reason.LIMIT_ABOVE_MAXIMUM: N_("Choose a shorter time limit and save checkpoints, so that a next job can go on."),
    Reason.NO_SUCH_FLAVOUR: N_("Choose one of the flavours on offer."),
    Reason.MORE_THAN_ANY_NODE: N_("Ask for less per task, or for more tasks."),
    Reason.MORE_THAN_THE_SITE: N_("Ask for fewer nodes."),
    Reason.ONLY_SIMULATED: N_("Ask for less; or, to see it simulated, name one of these sites under placement.sites."),
    Reason.NO_PRICE: N_("Ask the operator to add a price."),
    Reason.UNAUTHENTICATED: N_("Sign in with a fresh link; `eisbach portal` prints one."),
    Reason.FORBIDDEN: N_("Ask an administrator of your organisation or the operator."),
    Reason.RESIDENCY_FORBIDDEN: N_("Choose a place that the rules allow, or have whoever owns the rule change it."),
    Reason.PLACEMENT_FORBIDDEN: N_("It starts by itself when a rule or a site allows it again; what ran is not charged."),
    Reason.NOT_FOUND: N_("Check how it is written, and that it belongs to your organisation."),
    Reason.NAME_TAKEN: N_("Choose another name."),
    Reason.ALREADY_ENDED: N_("Nothing needs to be done."),
    Reason.IDEMPOTENCY_CONFLICT: N_("Open the page anew and send the form from there."),
    Reason.MISSING_SECRET: N_("Store it first with `eisbach secret set`."),
    Reason.OVER_BUDGET: N_("Lower the time limit or the resources, or have the budget raised."),
    Reason.BUDGET_RESERVED: N_("It goes on when running jobs settle for less than their ceilings, when the budget is raised, or next month."),
    Reason.BUDGET_REACHED: N_("Have the budget raised and start it again."),
    Reason.NOTHING_TO_BILL: N_("Look at the invoices that there are; the next one bills what comes."),
    Reason.BILLING_DETAILS_MISSING: N_("Fill in what is missing on the page Billing details."),
    Reason.CREDIT_TOO_LARGE: N_("Credit more than nothing and at most what is left."),
    Reason.NO_VAT_RATE: N_("Ask the operator to add the rate."),
    Reason.CAPACITY_BUSY: N_("It starts by itself when capacity becomes free."),
    Reason.BEHIND_PROMISE: N_("It starts by itself; a shorter time limit may let it start earlier."),
    Reason.NODES_UNAVAILABLE: N_("Wait until the operator uses the nodes again, or try again in a moment."),
    Reason.RETRY_DELAY: N_("Nothing needs to be done."),
    Reason.STARTING: N_("Nothing needs to be done."),
    Reason.SUCCEEDED: N_("Nothing needs to be done."),
    Reason.TASK_FAILED: N_("Look at the end of the log."),
    Reason.CANCELLED: N_("Start it again when you need it."),
    Reason.TIMED_OUT: N_("Choose a longer time limit, or go on from the last checkpoint."),
    Reason.OUT_OF_MEMORY: N_("Ask for more memory."),
    Reason.ENGINE_LOST_IT: N_("It is not charged and is tried again first in line."),
    Reason.NODE_DRAINED: N_("It is not charged and is tried again first in line."),
    Reason.PREEMPTED: N_("It is not charged and is tried again."),
    Reason.DISK_FULL: N_("It is not charged and is tried again."),
    Reason.STORE_FULL: N_("Nothing was changed. Try again later; the operator sees it."),
    Reason.STORE_UNAVAILABLE: N_("Nothing was changed. Try again in a moment."),
    Reason.NOT_LEADER: N_("Try again in a moment."),
    Reason.OVERLOADED: N_("Try again in a moment."),
    Reason.INTERNAL_ERROR: N_("Try it again; if it stays, tell the operator the number of the request."),
}

SENTENCES: Mapping[Reason, tuple[str, ...]] = {
    Reason.OVER_BUDGET: (
        N_("The job may cost up to {ceiling_micro_eur}, and the project's budget is {budget_micro_eur} a month"),
    ),
    Reason.LIMIT_ABOVE_MAXIMUM: (
        N_("The time limit is above the {maximum_ms} that the operator allows"),
    ),
    Reason.NO_SUCH_FLAVOUR: (
        N_("This factory does not have {wanted}; it has {existing}"),
    ),
    Reason.ONLY_SIMULATED: (
        N_("Only simulated sites have what the task asks for ({sites}), and nothing is executed there"),
    ),
    Reason.NAME_TAKEN: (
        N_("The name {name} is in use already"),
    ),
    Reason.FORBIDDEN: (
        N_("With the role {role} nobody may do {action} here"),
    ),
}
"""Patterns over the names of a refusal's values; the first all of whose values are there is used."""
