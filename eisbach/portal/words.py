"""The words that several pages use: roles, states, labels of figures, and the signs beside them."""

from collections.abc import Mapping

from eisbach.ports.translator import N_

ROLE_NAMES: Mapping[str, str] = {
    "operator": N_("operator"),
    "auditor": N_("auditor"),
    "admin": N_("administrator"),
    "member": N_("member"),
    "viewer": N_("viewer"),
}
THEME_NAMES: Mapping[str, str] = {"auto": N_("as the system"), "light": N_("light"), "dark": N_("dark")}
BADGE_NAMES: Mapping[str, str] = {
    "measured": N_("measured"),
    "modelled": N_("modelled"),
    "simulated": N_("simulated"),
}
"""Where a figure comes from; each is shown with one of these."""

JOB_STATES: Mapping[str, tuple[str, str]] = {
    "waiting": (N_("waiting"), "wait"),
    "starting": (N_("starting"), "wait"),
    "running": (N_("running"), "busy"),
    "stopping": (N_("stopping"), "wait"),
    "ended": (N_("ended"), "calm"),
    "succeeded": (N_("succeeded"), "good"),
    "failed": (N_("failed"), "bad"),
    "cancelled": (N_("cancelled"), "calm"),
    "timed_out": (N_("timed out"), "bad"),
    "out_of_memory": (N_("out of memory"), "bad"),
    "out_of_budget": (N_("out of budget"), "bad"),
    "lost": (N_("lost"), "bad"),
    "preempted": (N_("preempted"), "wait"),
    "refused_late": (N_("refused late"), "bad"),
}
"""States of jobs and attempts that have not ended and outcomes of those that have, each with the kind of its chip."""

ICONS: Mapping[str, str] = {
    "check": "M3 8.5l3.2 3.2L13 5",
    "stop": "M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2zM8 4.5v4.2M8 11.2v.3",
    "chip-good": "M3 8.5l3.2 3.2L13 5",
    "chip-busy": "M5 3.5v9l7.5-4.5z",
    "chip-wait": "M8 2a6 6 0 1 0 .01 0zM8 4.8V8l2.2 1.6",
    "chip-bad": "M4 4l8 8M12 4l-8 8",
    "chip-calm": "M3.5 8h9",
}
"""Paths of 16 x 16 signs, drawn with a stroke."""
