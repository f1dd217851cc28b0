"""The report: one HTML file with figures, plots and everything that is needed to judge them; it asks nothing of any server."""

import statistics
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from curve import Piece, Trace
from plots import Labels, Span, series_plot
from texts import Texts

CLOSE_MS = 18 * 3_600_000
CLOSE_PLOTS_MAX = 8
ALARMS_SHOWN = 50

STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--quiet:#566273;--paper:#ffffff;--card:#f4f6f9;--rule:#d5dbe3;--curve:#0b5cad;--band:#0b5cad26;--documented:#6b7787;--alarm:#c2410c;--gap:#8a94a31f}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf3;--quiet:#a3afbf;--paper:#12171e;--card:#1b222c;--rule:#333d4a;--curve:#7cc0ff;--band:#7cc0ff2e;--documented:#9aa7b8;--alarm:#ff9a5c;--gap:#a3afbf26}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 3rem}h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.2rem 0 .5rem}
.lead{color:var(--quiet);margin:0 0 1.2rem}.result{background:var(--card);border-left:4px solid var(--curve);padding:.9rem 1.1rem;border-radius:4px}.result p{margin:.2rem 0}.result strong{font-size:1.1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
td{min-width:3.5rem}th{font-weight:600;color:var(--quiet)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
code{font-family:ui-monospace,monospace;font-size:.85em;overflow-wrap:anywhere}.note,footer{color:var(--quiet);font-size:.9rem}
dl{display:grid;grid-template-columns:minmax(9rem,14rem) 1fr;gap:.3rem 1rem;margin:0}dt{color:var(--quiet)}dd{margin:0}.warn{border-left:4px solid var(--alarm);padding-left:.8rem}
.closeups{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:1rem}@media (max-width:32rem){.closeups{grid-template-columns:1fr}dl{grid-template-columns:1fr}}
figure{margin:.5rem 0}figcaption{color:var(--quiet);font-size:.9rem}svg.plot{width:100%;height:auto;display:block;min-width:28rem;background:var(--card);border-radius:6px}
.grid{stroke:var(--rule);stroke-width:1}.tick,.axis,.mark{fill:var(--quiet);font:12px system-ui,sans-serif}.mark{fill:var(--ink)}.curve{fill:none;stroke:var(--curve);stroke-width:1.6;stroke-linejoin:round}
.band{fill:var(--band)}.lane{fill:var(--gap)}.documented{fill:var(--documented)}.alarm{fill:var(--alarm)}.gap{fill:var(--gap)}
@media print{main{max-width:none}}
"""


class Report:
    """Writes one run's figures as a page in one language."""

    def __init__(self, figures: dict[str, Any], trace: Trace, data_texts: dict[str, str], language: str, zone: ZoneInfo) -> None:
        self.figures, self.trace, self.data_texts, self.zone = figures, trace, data_texts, zone
        self.say = Texts(language)
        self.label = "measured" if figures["data"]["label"] == "measured" else "brought"
        last = round(figures["data"]["step_s"] * 1000)  # the last step of a segment belongs to it
        self.documented = [_span(one["from"], one["to"], str(number), last) for number, one in enumerate(figures["segments"], 1)]
        end = figures["data"]["to"]
        self.alarms = [_span(one["raised"], one["ended"] or end) for one in figures["alarms"]]

    def page(self) -> str:
        say, title = self.say, self.say("title")
        sections = (
            self._result(), self._course(), self._segments(), self._closeups(), self._alarms(), self._data(), self._method(),
            self._candidates(), self._sensitivity(), self._repairs(), self._files(),
        )  # fmt: skip
        return (
            f'<!doctype html><html lang="{say.language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
            f'<p class="lead">{escape(self.data_texts["title"])}</p>{"".join(sections)}<footer><p>{say("footer")}</p></footer></main></body></html>\n'
        )

    # ---- sections ------------------------------------------------------------------------------------------------

    def _result(self) -> str:
        say, figures = self.say, self.figures
        if figures["documented"]:
            rate = say.number(figures["false_alarms_per_30_days"])
            lines = [f"<strong>{say('result_scored', rate=rate, **_only(figures, 'found', 'documented', 'missed', 'false_alarms'))}</strong>"]
            found = [one for one in figures["segments"] if one["found"]]
            if found:
                delays, leads = sorted(one["delay_h"] for one in found), sorted(one["lead_h"] for one in found)
                lines.append(
                    say(
                        "honest_delay", least=say.number(delays[0]), most=say.number(delays[-1]), median=say.number(statistics.median(delays)),
                        lead_least=say.number(leads[0]), lead_most=say.number(leads[-1]),
                    )
                )  # fmt: skip
        else:
            lines = [f"<strong>{say('result_plain', alarms=figures['alarm_count'], rate=say.number(figures['alarms_per_30_days']))}</strong>"]
        return f'<div class="result">{"".join(f"<p>{line}</p>" for line in lines)}</div>'

    def _course(self) -> str:
        return f"<h2>{self.say('h_course')}</h2>{self._figure(self.trace.pieces, (960, 300))}"

    def _figure(self, pieces: Sequence[Piece], size: tuple[int, int], caption: str = "") -> str:
        say = self.say
        if not pieces:
            return ""
        value = self.figures["data"]["column"]
        labels = Labels(
            title=caption or say("h_course"),
            description=say("plot_description", value=value, start=self._when(pieces[0].start_ms), end=self._when(pieces[-1].end_ms)),
            value=value,
            documented=say("lane_documented"),
            alarms=say("lane_alarms"),
            decimal="," if say.language == "de" else ".",
            date="%d.%m." if say.language == "de" else "%d %b",
        )
        drawn = series_plot(pieces, self.trace.piece_ms, self.documented, self.alarms, self.zone, labels, size)
        minutes = self.trace.piece_ms // 60_000
        piece = say("piece", minutes=say.number(minutes)) if self.trace.piece_ms > self.figures["data"]["step_s"] * 1000 else ""
        text = caption or say("legend", label=say(self.label), piece=piece)
        return f"<figure><div class='scroll' tabindex='0' role='group' aria-label='{escape(labels.title, quote=True)}'>{drawn}</div><figcaption>{escape(text)}</figcaption></figure>"

    def _segments(self) -> str:
        say = self.say
        if not self.figures["segments"]:
            return ""
        heads = [("c_number", 1), ("c_kind", 0), ("c_from", 0), ("c_to", 0), ("c_found", 0), ("c_first_alarm", 0), ("c_delay", 1), ("c_lead", 1)]
        rows = [
            [
                str(number), self._kind(one["kind"]), self._text(one["from"]), self._text(one["to"]), say("yes" if one["found"] else "no"),
                self._text(one["first_alarm"]), say.number(one["delay_h"]), say.number(one["lead_h"]),
            ]
            for number, one in enumerate(self.figures["segments"], 1)
        ]  # fmt: skip
        note = say("definitions", calm=say.number(self.figures["calm_hours"], 0))
        return f"<h2>{say('h_segments')}</h2>{self._table(heads, rows)}<p class='note'>{note}</p>"

    def _closeups(self) -> str:
        spans = self.documented or self.alarms
        drawn = []
        for number, span in enumerate(spans[:CLOSE_PLOTS_MAX], 1):
            near = [piece for piece in self.trace.pieces if span.start_ms - CLOSE_MS <= piece.start_ms <= span.end_ms + CLOSE_MS]
            if len(near) > 4:
                drawn.append(self._figure(near, (480, 200), f"{number}: {self._when(span.start_ms)}"))
        return f"<h2>{self.say('h_close')}</h2><div class='closeups'>{''.join(drawn)}</div>" if drawn else ""

    def _alarms(self) -> str:
        say, figures = self.say, self.figures
        heads = [("c_raised", 0), ("c_ended", 0), ("c_how", 0), ("c_value", 1), ("c_edge", 1), ("c_expected", 1), ("c_worst", 1)]
        if figures["documented"]:
            heads.append(("c_belongs", 0))
        rows = [self._alarm_row(one) for one in figures["alarms"][:ALARMS_SHOWN]]
        more = say("more_alarms", shown=len(rows), all=say.number(figures["alarm_count"])) if figures["alarm_count"] > len(rows) else ""
        body = self._table(heads, rows) if rows else f"<p>{say('none')}</p>"
        return f"<h2>{say('h_alarms')}</h2>{body}<p class='note'>{more}</p>"

    def _alarm_row(self, one: dict[str, Any]) -> list[str]:
        say = self.say
        row = [self._text(one["raised"]), self._text(one["ended"]), say(f"how_{one['how']}"), say.number(one["value"])]
        row += [say.number(one["band_edge"]), say.number(one["expected"])]
        row.append(say.number(one["worst_deviation_percent"], 1))
        if self.figures["documented"]:
            row.append(say("segment", number=one["segment"]) if one["segment"] else say("false_alarm"))
        return row

    def _data(self) -> str:
        say, data = self.say, self.figures["data"]
        listed = {
            "d_source": self.data_texts["source"], "d_donor": self.data_texts.get("donor"), "d_licence": self.data_texts["licence"],
            "d_documented": self.data_texts.get("documented"), "d_rule": self.data_texts.get("rule"), "d_file": data["file"],
            "d_rows": say.number(data["rows"]), "d_column": data["column"], "d_period": f"{self._text(data['from'])} – {self._text(data['to'])} ({say(self.label)})",
            "d_step": say("minutes", count=say.number(data["step_s"] / 60)), "d_zone": data["time_zone"],
        }  # fmt: skip
        entries = "".join(f"<dt>{say(key)}</dt><dd>{escape(text)}</dd>" for key, text in listed.items() if text)
        entries += f"<dt>{say('d_sha256')}</dt><dd><code>{data['sha256']}</code></dd>"
        expected = data.get("sha256_documented")
        warning = f"<p class='warn'>{say('other_version', expected=expected)}</p>" if expected and expected != data["sha256"] else ""
        return f"<h2>{say('h_data')}</h2>{warning}<dl>{entries}</dl>"

    def _method(self) -> str:
        say, protocol = self.say, self.figures["protocol"]
        text = say(
            "method", start=self._text(protocol["calibration_from"]), end=self._text(protocol["calibration_to"]), points=say.number(protocol["calibration_points"]),
            before=say("method_before") if self.figures["documented"] else "", sigmas=say.number(protocol["sigmas"]), floor=say.number(100 * protocol["floor"]),
            clear=protocol["clear_after"],
        )  # fmt: skip
        count = protocol["calibration_suspects"]
        warning = f"<p class='warn'>{say('suspects', count=say.number(count), points=say.number(protocol['calibration_points']))}</p>" if count else ""
        return f"<h2>{say('h_method')}: {say('m_' + protocol['method'])}</h2>{warning}<p>{text}</p>"

    def _candidates(self) -> str:
        say, figures = self.say, self.figures
        heads = [("c_method", 0), ("c_injected", 1), ("c_trial_delay", 1), ("c_trial_false", 1), ("c_error", 1)]
        chosen = figures["protocol"]["method"]
        mark = say("chosen" if figures["protocol"]["chosen_by"] == "trial" else "chosen_by_wish")
        rows = [
            [
                say(f"m_{one['method']}") + (f" ({mark})" if one["method"] == chosen else ""), f"{one['found']} / {one['injected']}",
                say.number(one["mean_delay_h"]), say.number(one["false_alarms"]), say.number(one["mean_error"], 3),
            ]
            for one in figures["candidates"]
        ]  # fmt: skip
        left_out = [say(f"left_out_{why}", method=say(f"m_{name}")) for name, why in figures["left_out"].items()]
        note = " ".join([say("candidates_note"), *(f"{text}." for text in left_out)])
        return f"<h2>{say('h_candidates')}</h2>{self._table(heads, rows)}<p class='note'>{note}</p>"

    def _sensitivity(self) -> str:
        say, is_scored = self.say, bool(self.figures["documented"])
        heads = [("c_tolerance", 1), ("c_found", 1), ("c_missed", 1), ("c_false", 1)] if is_scored else [("c_tolerance", 1), ("c_alarms", 1)]
        keys = ("found", "missed", "false_alarms") if is_scored else ("alarms",)
        rows = [[say.number(100 * one["floor"]), *(say.number(one[key]) for key in keys)] for one in self.figures["sensitivity"]]
        return f"<h2>{say('h_sensitivity')}</h2>{self._table(heads, rows)}<p class='note'>{say('sensitivity_note')}</p>"

    def _repairs(self) -> str:
        say, repairs = self.say, self.figures["repairs"]
        if not repairs:
            return f"<h2>{say('h_repairs')}</h2><p>{say('nothing_repaired')}</p>"
        heads = [("c_what", 0), ("c_count", 1), ("c_examples", 0)]
        rows = [
            [say(f"r_{one['kind']}"), say.number(one["count"]), "; ".join(say("line_value", **example) for example in one["examples"])] for one in repairs
        ]
        return f"<h2>{say('h_repairs')}</h2>{self._table(heads, rows)}"

    def _files(self) -> str:
        say = self.say
        entries = "".join(f"<dt>{escape(name)}</dt><dd><code>{digest}</code></dd>" for name, digest in self.figures["files"].items())
        return f"<h2>{say('h_files')}</h2><dl>{entries}</dl>"

    # ---- parts ---------------------------------------------------------------------------------------------------

    def _table(self, heads: list[tuple[str, int]], rows: list[list[str]]) -> str:
        classes = [' class="n"' if is_number else "" for _, is_number in heads]
        head = "".join(f'<th scope="col"{kind}>{escape(self.say(key))}</th>' for (key, _), kind in zip(heads, classes, strict=True))
        body = "".join(
            "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, classes, strict=True)) + "</tr>" for row in rows
        )
        return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'

    def _kind(self, kind: str) -> str:
        return self.say(f"kind_{kind}") if kind in ("low", "peak", "known") else kind

    def _text(self, instant: str | None) -> str:
        return "–" if instant is None else self._when(_ms(instant))

    def _when(self, at_ms: int) -> str:
        """Local time of the plant with its offset, so that the doubled hour cannot be misread."""
        wall = datetime.fromtimestamp(at_ms / 1000, self.zone)
        shown = wall.strftime("%d.%m.%Y\u00a0%H:%M" if self.say.language == "de" else "%Y\u2011%m\u2011%d\u00a0%H:%M")
        offset = wall.strftime("%z")
        return f"{shown} ({offset[:3]}:{offset[3:]})"


def _ms(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)


def _span(start: str, end: str, label: str = "", last_ms: int = 0) -> Span:
    return Span(_ms(start), _ms(end) + last_ms, label)


def _only(figures: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: figures[key] for key in keys}
