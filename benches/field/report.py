"""The page `docs/reference/field-report.md`: what `onlyonce verify` found at each system, from its reports as JSON.

It judges nothing. Where a system's documentation says that something is not promised, `[[by_design]]` of its
`system.toml` names the checks and the place, and a failed check among them is shown as a deviation with that place.
What differs between two machines (ports, directories) is taken out.
"""

import json
import re
import sys
import tomllib

CELLS = {"pass": "pass", "fail": "**fail**", "deviates": "deviates", "not-observable": "n. o.", "not-asked": "–"}

# What the verifier says where the plan has nothing to ask a check with; anything else is a check that it could not tell of.
NOT_OFFERED = re.compile(r"\bto the plan\b|^the plan (has|says)\b|^keys are bare here\b|\bto \[operations\]")

DIRECTORIES = {}  # of this machine, and what they are called on any

HEAD = """\
# Field report

<!-- Written by `benches/field/run`; change that, and not this page. -->

What [`onlyonce verify`](verify.md) found at systems that others wrote, and at ours, {date}. Each was installed from its
registry in the version given below, set up as its own documentation shows it, put in front of the same small API of
transfers, and asked the same. One script does all of it: [`benches/field/run`](../../benches/field/README.md).

How to read it:

- Each row is a check. *must*: if it fails, an effect happens twice or not at all, or an answer is lost or reaches somebody
  else. *should*: whoever retries is worse off.
- **fail**: what has to hold did not, in this run, with this configuration. The sequence of `curl` that shows it is below,
  with what came back, for each of them.
- deviates: it is done otherwise on purpose. Either others do it so, too, or the system's documentation says that it does
  not promise this. Then the sentence and its place are given.
- n. o.: not observable from outside here. –: not asked, because this plan offers nothing to ask it with. Neither is a fault.
- A pass says that no fault was seen in the tries that were made.

A system is held to what it says of itself: `ietf` where its documentation claims to follow the draft for the header field,
`stripe` where it claims to be modelled after that API, and otherwise `lenient`, for which any refusal is as good as
another. Retrying a request after a crash, a lost answer or a failure is what these systems are for, so that is asked of
all of them.
"""


def page(here, results):
    """The whole page, from the systems below `here` and the verifier's reports in `results`."""
    DIRECTORIES.update({str(results.parent): "target/field", str(here): "benches/field"})
    systems = [System(path.parent, results) for path in here.glob("*/system.toml")]
    systems = sorted((system for system in systems if system.report), key=lambda system: system.place)
    if not systems:
        return "# Field report\n\nNothing was run.\n"
    days = sorted({system.report["began"][:10] for system in systems})
    date = f"on {days[0]}" if len(days) == 1 else f"from {days[0]} to {days[-1]}"
    parts = [HEAD.format(date=date), overview(systems), table(systems)]
    return "\n".join([*parts, *(section(system) for system in systems)])


class System:
    """What is written of a system, and what was found at it."""

    def __init__(self, source, results):
        self.source = source
        written = tomllib.loads((source / "system.toml").read_text())
        self.written = written
        self.name, self.column = written["name"], written.get("column", written["name"])
        self.place = written.get("place", 50), self.name
        self.plan = (source / "plan.toml").read_text().strip()
        self.by_design = {check: rule for rule in written.get("by_design", []) for check in rule["checks"]}
        result = results / f"{source.name}.json"
        # One that is empty is still being written.
        self.report = json.loads(result.read_text()) if result.exists() and result.stat().st_size else None
        stop_if_unfinished(self.name, self.report or {})
        self.findings = {found["check"]: found for found in (self.report or {}).get("findings", [])}

    def verdict(self, check):
        """The verifier's verdict; what the plan offers nothing for was not asked, and what is not promised deviates."""
        found = self.findings.get(check)
        if found is None or found["verdict"] == "not-observable" and NOT_OFFERED.search(found["why"]):
            return "not-asked"
        if found["verdict"] == "fail" and self.rule(check):
            return "deviates"
        return found["verdict"]

    def rule(self, check):
        """What its documentation says of the case that a check tries."""
        return self.by_design.get(check)

    def having(self, verdict):
        return [found for check, found in self.findings.items() if self.verdict(check) == verdict]


def stop_if_unfinished(name, report):
    """A system that went away, or a run that was interrupted, says nothing of what it was not asked: no page is made of it."""
    away = sum(1 for found in report.get("findings", []) if "it could not be reached" in found.get("why", ""))
    for many, why in ((away, "it could not be reached"), (report.get("not_tried", 0), "the run was interrupted"), (report.get("spent", 0), "the requests of the run were spent")):
        if many:
            sys.exit(f"{name}: {many} checks were not tried to their end, because {why}: run it again")


def overview(systems):
    lines = [
        "## Systems\n",
        "| system | from | version | profile | view | pass | fail, must | fail, should | deviates | n. o. | – |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for system in systems:
        fails = [found["level"] for found in system.having("fail")]
        counts = [len(system.having("pass")), fails.count("must"), fails.count("should")]
        counts += [len(system.having(verdict)) for verdict in ("deviates", "not-observable", "not-asked")]
        written, report = system.written, system.report
        words = [f"[{system.name}](#{anchor(system.name)})", written["from"], written.get("version") or "this commit"]
        lines.append(row([*words, f"`{report['profile']}`", report["view"], *counts]))
    return "\n".join(lines) + "\n"


def table(systems):
    """Checks against systems, in the order in which the verifier tries them."""
    checks = {}
    for system in systems:
        for found in system.report["findings"]:
            checks.setdefault(found["check"], found["level"])
    heads = [system.column for system in systems]
    lines = ["## Checks\n", row(["check", "level", *heads]), "|---" * (len(heads) + 2) + "|"]
    for check, level in checks.items():
        lines.append(row([f"`{check}`", level, *(CELLS[system.verdict(check)] for system in systems)]))
    return "\n".join(lines) + "\n\n" + "What each check demands, and who says so: [the checks](checks.md).\n"


def section(system):
    written = system.written
    version = f", version {written['version']} from {written['from']}" if written["version"] else ""
    lines = [f"## {system.name}\n", f"{written['what']}\n", f"`{system.name}`{version}" + with_(written) + ".\n"]
    for name in written.get("configuration", []):
        lines.append(folded(f"Configuration: `{name}`", code((system.source / name).read_text(), name.split(".")[-1])))
    lines.append(folded("How it is started", code(started(written), "sh")))
    lines.append(folded("Plan", code(system.plan, "toml")))
    lines += notes(system)
    lines += failed(system)
    by_hand = system.source / "by-hand.txt"
    if by_hand.exists():
        lines.append(folded("Done by hand", code(by_hand.read_text(), "")))
    return "\n".join(lines)


def started(written):
    """Its processes, with what their environment says."""
    lines = []
    for process in written["process"]:
        settings = [f"{name}={value}" for name, value in process.get("env", {}).items()]
        lines.append(" \\\n  ".join([*settings, " ".join(process["command"])]))
    return "\n".join(lines)


def with_(written):
    return f", with {written['with']}" if written.get("with") else ""


def notes(system):
    """What it does otherwise, and where that is written."""
    lines = [f"{note}\n" for note in system.written.get("notes", [])]
    deviating = system.having("deviates")
    if deviating:
        lines.append("Done otherwise by design:\n")
    for found in deviating:
        rule = system.rule(found["check"])
        why = f". {rule['says']} ({rule['where']})" if rule else f", as {found.get('like', 'others do it')}"
        lines.append(f"- `{found['check']}`: {prose(found['actual'])}{prose(why)}")
    return [*lines, ""] if deviating else lines


def failed(system):
    fails = system.having("fail")
    if not fails:
        return ["No check failed.\n"]
    lines = ["Failed checks:\n"]
    for found in fails:
        told = [
            f"{found['requirement']} ({found['source']})\n",
            f"- expected: {prose(found['expected'])}",
            f"- actual: {prose(found['actual'])}\n",
            code(found["script"], "sh"),
        ]
        lines.append(folded(f"<code>{found['check']}</code> ({found['level']}): {prose(found['actual'], 100)}", "\n".join(told)))
    return lines


def folded(title, text):
    title = re.sub(r"`([^`]*)`", r"<code>\1</code>", title)
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>\n"


def code(text, language):
    """A block of code; a fence inside of it must not end it."""
    return f"```{language}\n{portable(text).strip().replace('```', '` ` `')}\n```"


def prose(text, most=400):
    """Text from outside as a part of a line, such that none of it is read as markup."""
    return html(portable(" ".join(short(text, most).split()))).replace("|", "\\|").replace("`", "'").replace("[", "\\[")


def html(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short(text, most=100):
    return text if len(text) <= most else text[: most - 1] + "…"


def portable(text):
    """Without the ports and directories of the machine that it was run on."""
    # One may lie in the other: the longer first.
    for directory, name in sorted(DIRECTORIES.items(), reverse=True):
        text = text.replace(directory, name)
    return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:8080", text)


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def anchor(heading):
    """As it is made for a heading where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
