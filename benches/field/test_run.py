"""What a run starts it finds again, to stop it. Run with `python3 -m unittest -v` in this folder."""

import importlib.machinery
import importlib.util
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

LOADER = importlib.machinery.SourceFileLoader("run", str(Path(__file__).with_name("run")))
RUN = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", LOADER))
LOADER.exec_module(RUN)


class Processes(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.state = Path(place.name).resolve() / "state"
        self.state.mkdir()

    def process(self, noted=True, **options):
        # It reads from a pipe that nobody writes to, and ends with it.
        started = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True, **options)
        if noted:
            with open(self.state / RUN.SESSIONS, "a") as sessions:
                sessions.write(f"{started.pid}\n")
        self.addCleanup(started.wait)
        self.addCleanup(started.stdin.close)
        return started

    def test_what_works_in_the_state_is_found_whatever_its_environment(self):
        like_redis = self.process(cwd=self.state, env={})
        self.assertEqual(list(RUN.processes(self.state)), [like_redis.pid])

    def test_what_has_the_state_in_its_environment_is_found_wherever_it_works(self):
        served = self.process(cwd="/", env={"PATH": os.environ["PATH"], "EFFECTS": f"{self.state}/effects"})
        self.assertEqual(list(RUN.processes(self.state)), [served.pid])

    def test_nobody_else_is_found(self):
        self.process(cwd=self.state.parent, env={"EFFECTS": f"{self.state}-2/effects"})
        self.assertEqual(list(RUN.processes(self.state)), [])

    def test_an_operators_shell_that_works_in_the_state_is_not_found(self):
        self.process(noted=False, cwd=self.state, env={"EFFECTS": f"{self.state}/effects"})
        self.assertEqual(list(RUN.processes(self.state)), [])

    def test_start_notes_the_session_of_what_it_starts(self):
        spec = {
            "command": ["python3", "-m", "http.server", "--bind", "127.0.0.1", str(RUN.free_port())],
            "environment": {**os.environ, "EFFECTS": f"{self.state}/effects"},
            "directory": "/",
            "log": str(self.state / "system.log"),
            "pid": str(self.state / "system.pid"),
        }
        RUN.start({**spec, "ready": f"tcp:{spec['command'][-1]}"})
        (pid,) = RUN.processes(self.state)
        RUN.stop(pid)
        self.assertEqual((self.state / "system.pid").read_text(), str(pid))
        self.assertEqual(list(RUN.processes(self.state)), [])

    def test_what_is_found_is_stopped(self):
        served = self.process(cwd=self.state, env={})
        for pid in RUN.processes(self.state):
            RUN.stop(pid)
        self.assertIsNotNone(served.poll())


if __name__ == "__main__":
    unittest.main()
