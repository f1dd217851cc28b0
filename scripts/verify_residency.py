"""Check a proof of residency offline, rules included: verify_residency.py PROOF.json [--key VERIFIER_KEY].

First scripts/verify_bundle.py checks signature and inclusion; then this evaluates the events. The format: docs/audit-bundle.md.
"""
import argparse
import json
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

FACTS = {"countries": "country", "operator_countries": "operator_country", "parent_countries": "parent_country", "sites": "site"}

def check(holds, what):
    if not holds:
        print(f"FAILED: {what}")
        raise SystemExit(1)

def against(rules, site):  # what rules have against a place: a fact that is not among what one of them allows; ZZ never is
    return [
        f"{site['site']}: {FACTS[key]} is {site[FACTS[key]]}; {owner} allows {' '.join(allowed)} (position {position})"
        for owner, position, limits in rules
        for key, allowed in limits.items()
        if key in FACTS and (site[FACTS[key]] not in allowed or site[FACTS[key]] == "ZZ")
    ]

def told(event):  # a record of an import tells of an event of an earlier factory, at its own place
    kind, body, at_root = event["kind"], event["body"], False
    while kind == "record.imported":
        at_root, inner = at_root or body["at_root"], json.loads(body["data"])
        kind, body = inner["kind"], inner["body"]
    return kind, {**body, "parent": None} if at_root else body

class Replay:
    def __init__(self):
        self.sites, self.nodes, self.parents, self.owners, self.rules, self.own = {}, {}, {}, {}, {}, []
        self.data, self.data_rules, self.copies, self.gone = [], {}, {}, set()
        self.project, self.stays, self.kept, self.violations, self.moved = None, {}, {}, [], -1

    def chain(self):  # the rules that hold: the topmost organisation's first, the job's own last
        found, owner = [], self.owners[self.project]
        while owner is not None:
            found, owner = [*self.rules.get(owner, []), *found], self.parents[owner]
        data = [rule for name in self.data for rule in self.data_rules.get(name, [])]
        return [*found, *self.rules.get(self.project, []), *data, *self.own]

    def look(self, stay):
        site = self.sites[stay["site"]]
        stay["wrong"] += [one for one in against(self.chain(), site) if one not in stay["wrong"]]
        stay["facts"] = stay["facts"] or site

    def take(self, seq, kind, body, job):
        if kind in ("site.declared", "site.changed"):
            self.sites[body["site"]] = {**body, "parent_country": body.get("parent_country") or body["operator_country"]}
        elif kind in ("node.declared", "node.changed"):
            self.nodes[body["node"]] = body.get("site") or self.nodes.get(body["node"])
        elif kind == "organisation.created":
            self.parents[body["organisation"]] = body["parent"]
        elif kind == "project.created":
            self.owners[body["project"]] = body["organisation"]
        elif kind == "rule.set":
            self.rules[body["owner"]] = [(body["owner"], seq, dict(body["limits"]))] if body["limits"] else []
        elif kind == "job.submitted":
            check(body["job"] == job, f"event {seq} submits another job")
            self.project, self.data = body["project"], body.get("data", [])
            self.own = [(job, seq, dict(body["placement"]))] if body.get("placement") else []
        elif kind == "data_set.announced":
            self.copies[body["data_set"], body["site"]] = seq
            if body["countries"]:
                self.data_rules[body["data_set"]] = [(body["data_set"], seq, {"countries": body["countries"]})]
        elif kind in ("data_set.copying", "data_set.copied"):
            self.copies.setdefault((body["data_set"], body["site"]), seq)
        elif kind in ("data_set.deleted", "data_set.abandoned"):
            self.copies = {key: at for key, at in self.copies.items() if key[0] != body["data_set"]}
            self.gone |= {position for _, position, _ in self.data_rules.pop(body["data_set"], [])}
        elif kind == "attempt.planned":
            self.planned(seq, body, job)
        elif kind == "attempt.ended":
            self.stays[body["attempt"]]["over"] = True
        elif kind == "violation.found":
            self.violations.append(seq)
        elif kind == "target.used":
            self.kept[body["use"], body["site"]] = seq
        elif kind == "target.cleared":
            self.kept.pop((body["use"], body["site"]), None)
        if kind in ("site.declared", "site.changed", "rule.set"):
            self.moved = seq
            for stay in self.stays.values():
                stay["over"] or self.look(stay)

    def planned(self, seq, body, job):
        places = {self.nodes.get(task[1]) for task in body["tasks"]}
        check(body["job"] == job and places == {body["site"]}, f"event {seq}: its nodes are not at the site that it names")
        held = [position for _, position, _ in self.chain()]
        named = [position for position in body["rules"] if position not in self.gone]
        check(named == held, f"event {seq} names the rules {body['rules']}, but {held} held")
        check(self.moved <= body["policy_version"], f"event {seq} was planned before a rule or site changed that came earlier")
        self.stays[body["attempt"]] = {"site": body["site"], "over": False, "wrong": [], "facts": None}
        self.look(self.stays[body["attempt"]])

def tell(name, site, wrong):
    simulated = ", simulated" if site["simulated"] else ""
    print(f"ok  {name} at {site['site']}: {site['country']}, operator {site['operator']} ({site['operator_country']}), "
          f"ultimate parent {site['parent_country']}{simulated}" if not wrong else f"BROKEN {name}: {'; '.join(wrong)}")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("proof")
parser.add_argument("--key", help="the operator's published key, name+id+base64")
arguments = parser.parse_args()
key = ["--key", arguments.key] if arguments.key else []
script = Path(__file__).with_name("verify_bundle.py")
if subprocess.run([sys.executable, script, arguments.proof, *key], check=False).returncode:
    raise SystemExit(1)
try:
    leaves = json.loads(Path(arguments.proof).read_text(encoding="utf-8"))["leaves"]
    *events, stated = [json.loads(b64decode(leaf["data"])) for leaf in leaves]
    check(stated["kind"] == "residency.stated", "the last event does not state which events these must be")
    there, named, job = {event["seq"] for event in events}, set(stated["body"]["positions"]), stated["body"]["job"]
    check(there == named, f"events {sorted(there ^ named)} are missing or do not belong here")
    replay = Replay()
    for event in events:
        replay.take(event["seq"], *told(event), job)
    check(replay.project == stated["body"]["project"], f"no event submits {job}")
    print(f"ok  rules of job {job}: {'; '.join(f'{owner} {limits} (position {at})' for owner, at, limits in replay.chain()) or 'none'}")
    broken = [f"violation at position {seq}" for seq in replay.violations]
    for attempt, stay in replay.stays.items():
        tell(attempt, stay["facts"], stay["wrong"])
        broken += stay["wrong"]
    for_all = [(o, p, {k: v for k, v in limits.items() if k != "sites"}) for o, p, limits in replay.chain() if o != job and o not in replay.data]
    for use, site in {("log", next(iter(replay.sites))): 0, **replay.kept}:
        wrong = against(for_all, replay.sites[site])
        tell(f"a {use} is kept", replay.sites[site], wrong)
        broken += wrong
    for name, site in replay.copies:
        rules = [rule for rule in replay.chain() if rule[0] != job and (rule[0] == name or rule[0] not in replay.data)]
        wrong = against(rules, replay.sites[site])
        tell(f"data set {name} is kept", replay.sites[site], wrong)
        broken += wrong
except Exception as error:  # noqa: BLE001  a proof may be broken in any way
    check(False, f"{type(error).__name__} {error}".strip())
check(not broken, f"a rule was broken: {'; '.join(broken)}")
print(f"VERIFIED no rule of job {job} was broken up to log position {stated['seq']}, as far as these signed words go")
