"""Every sentence of the report, in English and German."""

from typing import Any

LANGUAGES = ("en", "de")

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Anomalous segments in a series of measurements", "Auffällige Abschnitte einer Messreihe"),
    "result_scored": (
        "{found} of {documented} documented segments found, {missed} missed; {false_alarms} false alarms ({rate} in 30 days).",
        "{found} von {documented} dokumentierten Abschnitten gefunden, {missed} übersehen; {false_alarms} Fehlalarme ({rate} in 30 Tagen).",
    ),
    "result_plain": (
        "{alarms} alarms ({rate} in 30 days). No segment is known to be anomalous in this data, so nothing is counted as found, missed or false.",
        "{alarms} Alarme ({rate} in 30 Tagen). Für diese Daten ist kein Abschnitt als auffällig bekannt, darum zählt keiner als gefunden, übersehen oder falsch.",
    ),
    "honest_delay": (
        "Alarms came {least} to {most} hours after the documented start (median {median}), and {lead_least} to {lead_most} hours before the documented end. "
        "No failure is foretold here: the data has no documented sign before a segment starts.",
        "Die Alarme kamen {least} bis {most} Stunden nach dem dokumentierten Beginn (Median {median}) und {lead_least} bis {lead_most} Stunden vor dem dokumentierten Ende. "
        "Hier wird kein Ausfall vorhergesagt: In den Daten ist vor dem Beginn eines Abschnitts kein Anzeichen dokumentiert.",
    ),
    "measured": ("measured", "gemessen"),
    "brought": ("as you brought them", "wie von Ihnen mitgebracht"),
    "h_course": ("The whole series", "Die ganze Reihe"),
    "h_segments": ("Documented segments", "Dokumentierte Abschnitte"),
    "h_close": ("From close by", "Aus der Nähe"),
    "h_alarms": ("Alarms", "Alarme"),
    "h_data": ("Data and licence", "Daten und Lizenz"),
    "h_method": ("Method", "Verfahren"),
    "h_candidates": ("What was tried on the calibration data", "Was an den Kalibrierdaten erprobt wurde"),
    "h_sensitivity": ("What another tolerance would have given", "Was eine andere Toleranz ergeben hätte"),
    "h_repairs": ("What was repaired or left out", "Was ausgebessert oder weggelassen wurde"),
    "h_files": ("Files of this run", "Dateien dieses Laufs"),
    "lane_documented": ("known", "bekannt"),
    "lane_alarms": ("alarms", "Alarme"),
    "plot_description": (
        "Curve of {value} from {start} to {end} with the band of what was expected; below it the documented segments and the alarms.",
        "Kurve von {value} vom {start} bis {end} mit dem Band des Erwarteten; darunter die dokumentierten Abschnitte und die Alarme.",
    ),
    "legend": (
        "Line: {label} values. Band: what was expected. Grey: no data. {piece}",
        "Linie: Werte ({label}). Band: was erwartet wurde. Grau: keine Daten. {piece}",
    ),
    "piece": ("A point of the line covers {minutes} minutes (least and most).", "Ein Punkt der Linie umfasst {minutes} Minuten (kleinster und größter Wert)."),
    "c_number": ("No.", "Nr."),
    "c_kind": ("Kind", "Art"),
    "c_from": ("From", "Von"),
    "c_to": ("To", "Bis"),
    "c_found": ("Found", "Gefunden"),
    "c_first_alarm": ("First alarm", "Erster Alarm"),
    "c_delay": ("Delay after start, h", "Verzug nach Beginn, h"),
    "c_lead": ("Lead before end, h", "Vorlauf vor Ende, h"),
    "c_raised": ("Raised", "Ausgelöst"),
    "c_ended": ("Ended", "Beendet"),
    "c_how": ("How it ended", "Wie es endete"),
    "c_value": ("Value", "Wert"),
    "c_expected": ("Expected", "Erwartet"),
    "c_edge": ("Edge of the band", "Rand des Bands"),
    "c_worst": ("Largest deviation, %", "Größte Abweichung, %"),
    "c_belongs": ("Belongs to", "Gehört zu"),
    "c_method": ("Method", "Verfahren"),
    "c_error": ("Mean error (measured)", "Mittlerer Fehler (gemessen)"),
    "c_injected": ("Faults found (simulated)", "Fehler gefunden (simuliert)"),
    "c_trial_delay": ("Mean delay, h (simulated)", "Mittlerer Verzug, h (simuliert)"),
    "c_trial_false": ("False alarms (measured)", "Fehlalarme (gemessen)"),
    "c_tolerance": ("Tolerance, %", "Toleranz, %"),
    "c_false": ("False alarms", "Fehlalarme"),
    "c_alarms": ("Alarms", "Alarme"),
    "c_missed": ("Missed", "Übersehen"),
    "c_what": ("What", "Was"),
    "c_count": ("How often", "Wie oft"),
    "c_examples": ("First lines", "Erste Zeilen"),
    "c_file": ("File", "Datei"),
    "yes": ("yes", "ja"),
    "no": ("no", "nein"),
    "false_alarm": ("none: false alarm", "keinem: Fehlalarm"),
    "segment": ("segment {number}", "Abschnitt {number}"),
    "chosen": ("chosen", "gewählt"),
    "chosen_by_wish": ("chosen by you", "von Ihnen gewählt"),
    "none": ("none", "keine"),
    "more_alarms": ("Only the first {shown} of {all} are shown; alarms.csv has all.", "Nur die ersten {shown} von {all} stehen hier; alarms.csv hat alle."),
    "kind_low": ("low value", "niedriger Wert"),
    "kind_peak": ("peak", "Spitze"),
    "kind_known": ("known", "bekannt"),
    "how_cleared": ("back in the band", "zurück im Band"),
    "how_accepted": ("taken as the new normal after a week", "nach einer Woche als neuer Normalfall angenommen"),
    "how_open": ("still on at the end of the data", "am Ende der Daten noch an"),
    "m_last-value": ("last value", "letzter Wert"),
    "m_level": ("level", "Niveau"),
    "m_hour-of-day": ("level and hour of the day", "Niveau und Tagesstunde"),
    "m_hour-of-week": ("level and hour of the week", "Niveau und Wochenstunde"),
    "m_holt-winters": ("Holt-Winters (river)", "Holt-Winters (river)"),
    "left_out_too_short": ("{method}: the calibration data is too short for it", "{method}: die Kalibrierdaten sind dafür zu kurz"),
    "left_out_not_installed": ("{method}: river is not installed", "{method}: river ist nicht installiert"),
    "d_source": ("Source", "Quelle"),
    "d_donor": ("Donated by", "Gespendet von"),
    "d_documented": ("What is documented", "Was dokumentiert ist"),
    "d_rule": ("How the instants of the segments were found", "Wie die Zeitpunkte der Abschnitte gefunden wurden"),
    "d_licence": ("Licence", "Lizenz"),
    "d_file": ("File", "Datei"),
    "d_sha256": ("SHA-256", "SHA-256"),
    "d_rows": ("Lines of measurements", "Zeilen mit Messwerten"),
    "d_column": ("Column", "Spalte"),
    "d_period": ("Period", "Zeitraum"),
    "d_step": ("Step", "Schritt"),
    "d_zone": ("Time zone", "Zeitzone"),
    "minutes": ("{count} minutes", "{count} Minuten"),
    "licence_own": ("not stated; the file was brought by you", "nicht angegeben; die Datei haben Sie mitgebracht"),
    "source_own": ("your own CSV", "Ihre eigene CSV-Datei"),
    "other_version": (
        "This file is another version than the one whose segments were documented (SHA-256 {expected}): the segments may not fit.",
        "Diese Datei ist eine andere Fassung als die, deren Abschnitte dokumentiert wurden (SHA-256 {expected}): die Abschnitte passen vielleicht nicht.",
    ),
    "method": (
        "Calibration: {start} to {end} ({points} values), taken as undisturbed{before}. Its first half warms the candidates up, its second half tries them; "
        "after that the chosen one has learned all of it and judges the rest value by value, each before it learns it. Nothing after the calibration influenced the choice. "
        "A value is outside when it misses what is expected by more than {sigmas} robust standard deviations of the last week's errors and by more than {floor} % "
        "(the largest error that OIML R 49-1 permits a water meter of class 2). Values outside are not learned. "
        "An alarm ends after {clear} values inside the band, one after another.",
        "Kalibrierung: {start} bis {end} ({points} Werte), als ungestört angenommen{before}. Die erste Hälfte wärmt die Kandidaten auf, die zweite erprobt sie; "
        "danach hat der gewählte alles davon gelernt und beurteilt den Rest Wert für Wert, jeden, bevor er ihn lernt. Nichts nach der Kalibrierung hat die Wahl beeinflusst. "
        "Ein Wert ist auffällig, wenn er das Erwartete um mehr als {sigmas} robuste Standardabweichungen der Fehler der letzten Woche und um mehr als {floor} % verfehlt "
        "(der größte Fehler, den OIML R 49-1 einem Wasserzähler der Klasse 2 zugesteht). Auffällige Werte werden nicht gelernt. "
        "Ein Alarm endet nach {clear} Werten im Band hintereinander.",
    ),
    "suspects": (
        "{count} of {points} values of the calibration data lie far from the others: it may not be undisturbed, and then faults like these are taken as normal. "
        "Choose another length with CALIBRATION_DAYS, or bring data that begins undisturbed.",
        "{count} von {points} Werten der Kalibrierdaten liegen weit von den anderen: Sie sind vielleicht nicht ungestört, und dann gelten solche Fehler als normal. "
        "Wählen Sie mit CALIBRATION_DAYS eine andere Länge, oder bringen Sie Daten, die ungestört beginnen.",
    ),
    "method_before": (", because it ends before the first documented segment", ", weil sie vor dem ersten dokumentierten Abschnitt endet"),
    "definitions": (
        "Found: an alarm is raised between 3 hours before a segment's start and its end. Delay: first alarm minus start. Lead: end minus first alarm. "
        "False alarm: raised at any other time, counted per 30 days of judged data outside the segments ({calm} h).",
        "Gefunden: Ein Alarm wird zwischen 3 Stunden vor Beginn und dem Ende eines Abschnitts ausgelöst. Verzug: erster Alarm minus Beginn. Vorlauf: Ende minus erster Alarm. "
        "Fehlalarm: zu jeder anderen Zeit ausgelöst, gezählt je 30 Tage beurteilter Daten außerhalb der Abschnitte ({calm} h).",
    ),
    "candidates_note": (
        "Faults put into copies of the calibration data: a drop of 20 % for 12 h, a surge of 10 % for 2 h, a creeping loss of 1 % an hour for 24 h. "
        "These faults are simulated. Most faults found less false alarms wins, then the earlier alarm, then the smaller error.",
        "In Kopien der Kalibrierdaten eingesetzte Fehler: ein Abfall um 20 % für 12 h, ein Anstieg um 10 % für 2 h, ein schleichender Verlust von 1 % je Stunde für 24 h. "
        "Diese Fehler sind simuliert. Es gewinnt, wer die meisten Fehler abzüglich der Fehlalarme findet, dann der frühere Alarm, dann der kleinere Fehler.",
    ),
    "sensitivity_note": ("Computed afterwards for comparison; it had no part in the choice.", "Nachträglich zum Vergleich berechnet; an der Wahl hatte es keinen Teil."),
    "nothing_repaired": ("Nothing: the file was read as it is.", "Nichts: Die Datei wurde gelesen, wie sie ist."),
    "r_averaged": ("readings averaged into the step of the series", "Messwerte in den Schritt der Reihe gemittelt"),
    "r_bad_instant": ("lines left out: no date and time", "Zeilen weggelassen: kein Datum mit Uhrzeit"),
    "r_bad_number": ("lines left out: no number", "Zeilen weggelassen: keine Zahl"),
    "r_bad_row": ("lines left out: another number of columns", "Zeilen weggelassen: andere Zahl von Spalten"),
    "r_contradiction": ("second values for an instant left out (the first one counts)", "zweite Werte eines Zeitpunkts weggelassen (der erste gilt)"),
    "r_doubled_hour": ("readings in the doubled hour of autumn told apart by their order", "Messwerte der doppelten Stunde im Herbst nach ihrer Reihenfolge unterschieden"),
    "r_duplicate": ("repeated lines left out", "wiederholte Zeilen weggelassen"),
    "r_implausible": ("lines left out: outside what is plausible", "Zeilen weggelassen: außerhalb des Plausiblen"),
    "r_long_gap": ("gaps too long to fill: the series is split there", "Lücken, zu lang zum Füllen: dort ist die Reihe geteilt"),
    "r_missing_value": ("lines without a value", "Zeilen ohne Wert"),
    "r_no_header": ("no header: columns are numbered", "keine Kopfzeile: Spalten sind nummeriert"),
    "r_out_of_order": ("lines left out: older than the line before", "Zeilen weggelassen: älter als die Zeile davor"),
    "r_short_gap": ("short gaps filled in a straight line", "kurze Lücken geradlinig gefüllt"),
    "r_steps_filled": ("steps filled in them, not judged", "darin gefüllte Schritte, nicht beurteilt"),
    "r_steps_in_long_gaps": ("steps missing in the long gaps", "in den langen Lücken fehlende Schritte"),
    "r_title_lines": ("lines above the table passed over", "Zeilen über der Tabelle übergangen"),
    "r_utf_16": ("read as UTF-16", "als UTF-16 gelesen"),
    "r_windows_1252": ("read as Windows-1252, because it is not UTF-8", "als Windows-1252 gelesen, weil sie kein UTF-8 ist"),
    "line_value": ("line {line}: {value}", "Zeile {line}: {value}"),
    "footer": (
        "Made by the Eisbach template predictive-maintenance. The same input gives the same figures.",
        "Erstellt mit der Eisbach-Vorlage predictive-maintenance. Gleiche Eingaben geben gleiche Zahlen.",
    ),
}


class Texts:
    """The sentences of one language, and its way to write numbers."""

    def __init__(self, language: str) -> None:
        self.language, self._place = language, LANGUAGES.index(language)

    def __call__(self, key: str, **values: Any) -> str:
        return TEXTS[key][self._place].format(**values)

    def number(self, value: float | int | None, digits: int = 2) -> str:
        if value is None:
            return "–"
        if isinstance(value, int):
            text = f"{value:,}"
        else:
            text = f"{value:,.{digits}f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))
