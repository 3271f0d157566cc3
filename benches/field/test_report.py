"""The page says what the reports say, and no more. Run with `python3 -m unittest -v` in this folder."""

import json
import tempfile
import tomllib
import unittest
from pathlib import Path

import report

SYSTEM = """
name = "once-more"
from = "a registry"
version = "1.2.3"
what = "A layer."
configuration = ["once.py"]

[[process]]
command = ["serve", "--port", "{port}"]
env = { SCOPE = "all" }

[[by_design]]
checks = ["race/two"]
says = "It is a safety net, it says."
where = "README"
"""


def finding(check, verdict, level="must", **more):
    return {"check": check, "level": level, "verdict": verdict, "requirement": "It holds.", "source": "RFC 0", **more}


FAIL = {
    "expected": "one effect",
    "actual": "two <effects> | at 127.0.0.1:4711",
    "script": "curl http://127.0.0.1:4711/transfers\n#    201 ```\n# start it: {here}/run",
    "steps": [{}],
}


class Page(unittest.TestCase):
    def page(self, *findings, system=SYSTEM):
        with tempfile.TemporaryDirectory() as directory:
            here, results = Path(directory, "field"), Path(directory, "reports")
            (here / "once-more").mkdir(parents=True)
            results.mkdir()
            (here / "once-more" / "system.toml").write_text(system)
            (here / "once-more" / "plan.toml").write_text('target = "http://127.0.0.1:{port}"\n')
            (here / "once-more" / "once.py").write_text("protect = True\n")
            found = {"began": "2026-01-02T03:04:05Z", "profile": "lenient", "view": "client", "findings": list(findings)}
            found = json.loads(json.dumps(found).replace("{here}", str(here)))
            (results / "once-more.json").write_text(json.dumps(found))
            return report.page(here, results)

    def cell(self, page, check):
        """The cell of the one system in the row of a check."""
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{check}` |")]
        return line.split(" | ")[2].strip(" |")

    def test_each_verdict_has_its_cell(self):
        page = self.page(
            finding("replay/runs-again", "pass"),
            finding("replay/body-differs", "fail", **FAIL),
            finding("mismatch/status", "deviates", expected="422", actual="409", like="Increase", steps=[{}]),
            finding("crash/effect", "not-observable", why="too few kills", steps=[{}]),
            finding("scope/other", "not-observable", why="there is one caller only: add [credentials.second] to the plan", steps=[]),
        )
        self.assertEqual(self.cell(page, "replay/runs-again"), "pass")
        self.assertEqual(self.cell(page, "replay/body-differs"), "**fail**")
        self.assertEqual(self.cell(page, "mismatch/status"), "deviates")
        self.assertEqual(self.cell(page, "crash/effect"), "n. o.")
        self.assertEqual(self.cell(page, "scope/other"), "–")
        self.assertIn("| 1 | 1 | 0 | 1 | 1 | 1 |", page)
        self.assertIn("on 2026-01-02", page)

    def test_what_could_not_be_told_although_it_was_offered_is_no_gap_of_the_plan(self):
        page = self.page(
            finding("replay/later", "not-observable", why="the 9 requests that bounds.requests of the plan allows are spent", steps=[]),
            finding("crash/wedged", "not-observable", why="it was killed, and does not run again", steps=[]),
            finding("put/repeat", "not-observable", why="nothing is replaced by its path: add a [resource] to the plan", steps=[]),
            finding("key/text", "not-observable", why="keys are bare here: it is a key like any other", steps=[{}]),
        )
        self.assertEqual(self.cell(page, "replay/later"), "n. o.")
        self.assertEqual(self.cell(page, "crash/wedged"), "n. o.")
        self.assertEqual(self.cell(page, "put/repeat"), "–")
        self.assertEqual(self.cell(page, "key/text"), "–")

    def test_no_page_is_made_of_a_system_that_went_away(self):
        away = "a request: it could not be reached: connection refused"
        with self.assertRaisesRegex(SystemExit, "once-more: 1 checks were not tried to their end"):
            self.page(finding("replay/later", "not-observable", why=away, steps=[{}]))

    def test_what_is_not_promised_deviates_and_says_where_that_is_written(self):
        page = self.page(
            finding("race/two", "fail", **FAIL), finding("race/ten", "fail", **FAIL)
        )
        self.assertEqual(self.cell(page, "race/two"), "deviates")
        self.assertEqual(self.cell(page, "race/ten"), "**fail**")
        self.assertIn("It is a safety net, it says. (README)", page)

    def test_a_pass_stays_one_although_it_is_not_promised(self):
        self.assertEqual(self.cell(self.page(finding("race/two", "pass")), "race/two"), "pass")

    def test_a_failed_check_is_told_with_its_sequence_and_without_the_machine(self):
        page = self.page(finding("replay/body-differs", "fail", **FAIL))
        self.assertIn("- expected: one effect", page)
        self.assertIn("curl http://127.0.0.1:8080/transfers", page)
        self.assertNotIn("4711", page)
        self.assertIn("# start it: benches/field/run", page)

    def test_what_a_system_sent_is_neither_markup_nor_the_end_of_a_block(self):
        page = self.page(finding("replay/body-differs", "fail", **FAIL))
        self.assertIn("two &lt;effects&gt; \\|", page)
        self.assertEqual(page.count("```") % 2, 0)
        self.assertNotIn("201 ```", page)

    def test_configuration_and_plan_are_printed(self):
        page = self.page(finding("replay/runs-again", "pass"))
        self.assertIn("protect = True", page)
        self.assertIn("SCOPE=all", page)
        self.assertIn("serve --port {port}", page)
        self.assertIn('target = "http://127.0.0.1:{port}"', page)
        self.assertIn("No check failed.", page)


class Systems(unittest.TestCase):
    def test_what_excuses_a_fault_speaks_of_one_check_and_not_of_a_subject(self):
        for path in Path(__file__).resolve().parent.glob("*/system.toml"):
            for rule in tomllib.loads(path.read_text()).get("by_design", []):
                for check in rule["checks"]:
                    self.assertIn("/", check, path)

    def test_each_has_a_plan_and_names_files_that_are_there(self):
        here = Path(__file__).resolve().parent
        systems = list(here.glob("*/system.toml"))
        self.assertGreaterEqual(len(systems), 7)
        for path in systems:
            system = report.System(path.parent, here)
            for name in system.written.get("configuration", []):
                self.assertTrue((path.parent / name).exists(), f"{path}: {name}")
            for name in system.written.get("applications", []):
                self.assertTrue((here / "applications" / name).exists(), f"{path}: {name}")


if __name__ == "__main__":
    unittest.main()
