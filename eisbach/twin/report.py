"""The report of a run: one HTML page that needs nothing else, plotly's JavaScript within it, and the result as JSON beside it."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from eisbach.twin.report_plots import Plot

PAGE = "report.html"
RESULT = "result.json"
_TEMPLATE = Path(__file__).with_name("report.html")
NO_PLOTLY = "document.querySelectorAll('.plot').forEach((one) => { one.textContent = 'plotly is not installed; the tables below say the same.'; });"
FIGURES = (
    ("jobs", "jobs", "{:,}"),
    ("finished", "finished", "{:,}"),
    ("mean_wait_s", "mean wait", "{:,.1f} s"),
    ("p99_wait_s", "99 of 100 wait at most", "{:,.0f} s"),
    ("sold", "sold", "{:.1%}"),
    ("allocated", "allocated", "{:.1%}"),
    ("busy", "busy", "{:.1%}"),
    ("in_rack", "gangs in the domain they asked for", "{:.1%}"),
    ("stranded_gpu_h", "stranded GPU-hours", "{:,.1f}"),
    ("shortfall_gpu_h", "GPU-hours that bookings were short of", "{:,.1f}"),
    ("preemptions", "preemptions", "{:,}"),
    ("moves", "attempts moved aside", "{:,}"),
    ("moves_gain_gpu_h", "GPU-hours gained by that", "{:,.1f}"),
    ("energy_kwh", "energy, modelled", "{:,.0f} kWh"),
    ("pue", "PUE", "{:.2f}"),
    ("promises", "promised starts", "{:,}"),
    ("promises_broken", "promises broken", "{:,}"),
    ("violations", "violations of invariants", "{:,}"),
    ("revenue_eur", "revenue", "{:,.2f} EUR"),
    ("events", "events", "{:,}"),
    ("plan_hash", "plan hash", "{}"),
)


def write_report(folder: Path, document: Mapping[str, Any], plots: Sequence[Plot]) -> Path:
    """Write page and result into a folder, which is made where it is missing; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    page = folder / PAGE
    page.write_text(page_of(document, plots), encoding="utf-8")
    return page


def page_of(document: Mapping[str, Any], plots: Sequence[Plot]) -> str:
    """Return the page. Whatever a tenant, a file or a path said is escaped."""
    sites = ", ".join(document["sites"])
    title = f"Twin of {sites}, simulated"
    specs = json.dumps({plot.id: plot.spec for plot in plots if plot.rows}).replace("<", "\\u003c")  # no text ends the script element
    asked = f"{document['workload']}; policy {document['policy']}, seed {document['seed']}"
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        heading=escape(f"The twin of {sites}"),
        body="\n".join([f"<p>{escape(asked)}</p>", _figures(document), _stated(document), *(_section(plot) for plot in plots)]),
        footer=escape(f"Eisbach twin. Label of every figure: {document['label']}."),
        plotly=_plotly(),
        plots=specs,
    )


def _figures(document: Mapping[str, Any]) -> str:
    shown = [(name, form.format(document[key])) for key, name, form in FIGURES if document.get(key) is not None]
    items = "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(said)}</dd></div>" for name, said in shown)
    return f'<dl class="figures">\n{items}\n</dl>'


def _stated(document: Mapping[str, Any]) -> str:
    """Return what the run takes for granted, and what it cannot know or does not play."""
    lists = [("Assumed", document["assumptions"]), ("Not known, or not played", document["unknown"])]
    parts = [
        f"<h2>{heading} <small class=\"label\">simulated</small></h2>\n<ul>\n" + "\n".join(f"<li>{escape(one)}</li>" for one in said) + "\n</ul>"
        for heading, said in lists
        if said
    ]
    return f"<section>\n{chr(10).join(parts)}\n</section>"


def _section(plot: Plot) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in plot.head)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in plot.rows)
    table = f'<details><summary>As a table</summary><div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div></details>'
    heading = f'<h2>{escape(plot.title)} <small class="label">simulated</small></h2>\n<p>{escape(plot.about)}</p>'
    if not plot.rows:
        return f"<section>\n{heading}\n</section>"
    return f'<section>\n{heading}\n<div class="plot" id="{plot.id}"></div>\n{table}\n</section>'


def _plotly() -> str:
    """Return plotly's JavaScript from the installed package, which is never imported; without it the tables stay."""
    spec = find_spec("plotly")
    found = Path(next(iter(spec.submodule_search_locations)), "package_data", "plotly.min.js") if spec and spec.submodule_search_locations else None
    if found is None or not found.is_file():
        return f"var Plotly = {{ newPlot: () => {{ {NO_PLOTLY} }} }};"
    return found.read_text(encoding="utf-8").replace("</script", "<\\/script")
