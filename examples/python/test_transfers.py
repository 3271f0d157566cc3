#!/usr/bin/env python3
"""What the gateway relies on when it re-runs an operation, shown on real processes with real kills.

Run with `python3 -m unittest -v test_transfers` in this folder. No gateway is needed: the tests are the gateway,
sending the same `Idempotency-Operation` again as it would.
"""

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import transfers

PROGRAM = Path(transfers.__file__).resolve()
ORDER = {"from_account": "ana", "to_account": "luis", "amount": 10000}
PATIENCE_S = 20  # the bound of every wait here
FOREVER_MS = 60_000  # a pause that only a kill ends
GUIDE = PROGRAM.parents[2] / "docs" / "guides" / "exactly-once-with-one-column.md"


class Bank:
    """One process of the program on a free port; `kill` is kill -9."""

    def __init__(self, database, *options):
        command = [sys.executable, str(PROGRAM), "--port", "0", "--database", str(database), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def post(self, operation, body=ORDER, connection=None):
        """Status and bytes of one attempt."""
        own = connection or self.connection()
        headers = {"Idempotency-Operation": operation} if operation is not None else {}
        own.request("POST", "/transfers", body if isinstance(body, bytes) else json.dumps(body), headers)
        answer = own.getresponse()
        result = answer.status, answer.read()
        if connection is None:
            own.close()
        return result

    def get(self, path):
        connection = self.connection()
        connection.request("GET", path)
        answer = connection.getresponse()
        result = answer.status, json.loads(answer.read())
        connection.close()
        return result

    def rows(self):
        return self.get("/transfers")[1]


class TransfersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = Path(folder.name) / "transfers.db"

    def bank(self, *options):
        bank = Bank(self.database, *options)
        self.addCleanup(bank.kill)
        return bank

    def post_in_background(self, bank, operation):
        """An attempt whose answer nobody will get."""

        def attempt():
            try:
                bank.post(operation)
            except (OSError, http.client.HTTPException):
                pass  # the kill

        thread = threading.Thread(target=attempt)
        thread.start()
        self.addCleanup(thread.join, PATIENCE_S)

    def await_rows(self, bank, count):
        end = time.monotonic() + PATIENCE_S
        while len(bank.rows()) != count:
            self.assertLess(time.monotonic(), end, f"never saw {count} rows")
            time.sleep(0.01)


class OneOperation(TransfersTest):
    def test_the_same_operation_twice_makes_one_row_and_the_same_bytes(self):
        bank = self.bank()
        first, second = bank.post("op_a"), bank.post("op_a")
        self.assertEqual(first[0], 201)
        self.assertEqual(first, second)
        self.assertEqual(len(bank.rows()), 1)

    def test_two_operations_with_the_same_body_make_two_rows(self):
        bank = self.bank()
        self.assertNotEqual(bank.post("op_a"), bank.post("op_b"))
        self.assertEqual(len(bank.rows()), 2)

    def test_an_operation_is_found_by_its_name(self):
        bank = self.bank()
        _, body = bank.post("op_a")
        self.assertEqual(bank.get("/transfers/by-operation/op_a"), (200, json.loads(body)))
        self.assertEqual(bank.get("/transfers/by-operation/op_b")[0], 404)

    def test_every_commit_is_synced_to_the_disk(self):
        db = transfers.connect(self.database)
        self.addCleanup(db.close)
        self.assertEqual(db.execute("PRAGMA journal_mode").fetchone()[0], "wal")
        self.assertEqual(db.execute("PRAGMA synchronous").fetchone()[0], 2)  # FULL


class AtTheSameTime(TransfersTest):
    def test_twenty_attempts_of_one_operation_at_once_make_one_row_and_twenty_equal_answers(self):
        bank = self.bank()
        for operation in (f"op_{n}" for n in range(10)):
            with self.subTest(operation):
                answers = self.at_once(bank, [operation] * 20)
                self.assertEqual(len(answers), 20)
                self.assertEqual({status for status, _ in answers}, {201})
                self.assertEqual(len(set(answers)), 1)
        self.assertEqual(len(bank.rows()), 10)

    def test_twenty_different_operations_at_once_make_twenty_rows(self):
        bank = self.bank()
        answers = self.at_once(bank, [f"op_{n}" for n in range(20)])
        self.assertEqual(len(set(answers)), 20)
        self.assertEqual(len(bank.rows()), 20)

    def test_attempts_in_two_processes_on_one_database_make_one_row(self):
        one, other = self.bank(), self.bank()
        answers = self.at_once(one, ["op_a"] * 10, other)
        self.assertEqual(len(answers), 20)
        self.assertEqual(len(set(answers)), 1)
        self.assertEqual(len(one.rows()), 1)

    def at_once(self, bank, operations, other=None):
        banks = [bank] if other is None else [bank, other]
        start = threading.Barrier(len(operations) * len(banks))
        answers = []

        def attempt(bank, operation):
            start.wait(PATIENCE_S)
            answers.append(bank.post(operation))

        threads = [threading.Thread(target=attempt, args=(b, o)) for b in banks for o in operations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        return answers


class Killed(TransfersTest):
    def test_kill_9_between_commit_and_answer_leaves_one_row_and_the_retry_finds_it(self):
        dying = self.bank("--delay-after-ms", str(FOREVER_MS))
        self.post_in_background(dying, "op_a")
        self.await_rows(dying, 1)
        before = dying.rows()
        dying.kill()

        bank = self.bank()
        status, body = bank.post("op_a")
        self.assertEqual((status, [json.loads(body)]), (201, before))
        self.assertEqual(bank.rows(), before)

    def test_kill_9_before_the_commit_leaves_no_row_and_the_retry_makes_it(self):
        dying = self.bank("--delay-before-ms", str(FOREVER_MS))
        self.post_in_background(dying, "op_a")
        time.sleep(0.2)  # long enough to arrive; if it does not, the claim holds all the more
        self.assertEqual(dying.rows(), [])
        dying.kill()

        bank = self.bank()
        self.assertEqual(bank.rows(), [])
        self.assertEqual(bank.post("op_a")[0], 201)
        self.assertEqual(len(bank.rows()), 1)

    def test_kill_9_under_load_loses_no_answered_transfer_and_doubles_none(self):
        dying = self.bank()
        answered = {}

        def work(worker):
            connection = dying.connection()
            for n in range(10_000):
                operation = f"op_{worker}_{n}"
                try:
                    answered[operation] = dying.post(operation, connection=connection)
                except (OSError, http.client.HTTPException):
                    return operation

        cut = [None] * 16
        threads = [threading.Thread(target=lambda w=w: cut.__setitem__(w, work(w))) for w in range(16)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + PATIENCE_S
        while len(answered) < 200 and time.monotonic() < end:
            time.sleep(0.01)
        dying.kill()
        for thread in threads:
            thread.join(PATIENCE_S)

        bank = self.bank()
        for operation, answer in answered.items():
            self.assertEqual(bank.post(operation), answer)
        for operation in filter(None, cut):
            self.assertEqual(bank.post(operation)[0], 201)
        names = [row["operation"] for row in bank.rows()]
        self.assertGreaterEqual(len(answered), 200)
        self.assertEqual(sorted(names), sorted({*answered, *filter(None, cut)}))


class OnTheWire(TransfersTest):
    def test_a_request_that_came_past_the_gateway_moves_nothing(self):
        bank = self.bank()
        self.assertEqual(bank.post(None)[0], 400)
        self.assertEqual(bank.post("")[0], 400)
        self.assertEqual(bank.rows(), [])

    def test_a_body_that_is_no_order_gets_400_every_time_and_moves_nothing(self):
        bank = self.bank()
        wrong = [
            b"", b"{", b"[]", b"[" * 30_000, b'{"amount": 1}', b"\xff",
            {**ORDER, "amount": 0}, {**ORDER, "amount": 1.5}, {**ORDER, "amount": True}, {**ORDER, "amount": 10**30},
            {**ORDER, "to_account": ""}, {**ORDER, "to_account": "\ud800"}, {**ORDER, "to_account": None},
        ]
        for body in wrong:
            with self.subTest(body=body):
                first = bank.post("op_a", body)
                self.assertEqual(first[0], 400)
                self.assertEqual(bank.post("op_a", body), first)
        self.assertEqual(bank.rows(), [])

    def test_one_connection_carries_many_requests_also_after_a_refusal(self):
        bank = self.bank()
        connection = bank.connection()
        connection.connect()
        first_socket = connection.sock
        attempts = [("op_a", ORDER), ("op_b", b"{"), ("op_a", ORDER)]
        self.assertEqual([bank.post(name, body, connection)[0] for name, body in attempts], [201, 400, 201])
        connection.request("GET", "/transfers", body=b"a body that a GET does not need")
        self.assertEqual(len(json.loads(connection.getresponse().read())), 1)
        self.assertEqual(bank.post("op_c", ORDER, connection)[0], 201)
        self.assertIs(connection.sock, first_socket)
        connection.close()

    def test_a_body_cut_short_moves_nothing(self):
        bank = self.bank()
        body = json.dumps(ORDER).encode()
        self.assertEqual(self.raw(bank, f"Content-Length: {len(body) + 1}", body), b"")
        self.assertEqual(bank.rows(), [])

    def test_a_body_without_certain_length_is_refused_and_the_connection_ends(self):
        bank = self.bank()
        cases = {
            "Transfer-Encoding: chunked": b"411",
            "Content-Length: 1\r\nContent-Length: 2": b"400",
            "Content-Length: +2": b"400",
            "Content-Length: 999999999999": b"413",
        }
        for lines, status in cases.items():
            with self.subTest(lines):
                self.assertEqual(self.raw(bank, lines).split(b" ", 2)[1], status)
        self.assertEqual(bank.rows(), [])

    def test_a_database_that_fails_is_503_without_retry_after_so_that_the_next_attempt_decides(self):
        bank = self.bank()
        db = transfers.connect(self.database)
        self.addCleanup(db.close)
        db.execute("ALTER TABLE transfer RENAME TO elsewhere")
        connection = bank.connection()
        connection.request("POST", "/transfers", json.dumps(ORDER), {"Idempotency-Operation": "op_a"})
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.getheader("Retry-After")), (503, None))
        connection.close()
        db.execute("ALTER TABLE elsewhere RENAME TO transfer")
        self.assertEqual(bank.post("op_a")[0], 201)

    def raw(self, bank, lines, body=b""):
        """Everything that comes back until the server closes; our side stops sending after the request."""
        head = f"POST /transfers HTTP/1.1\r\nHost: bank\r\nIdempotency-Operation: op_a\r\n{lines}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", bank.port), timeout=PATIENCE_S) as plain:
            plain.sendall(head.encode() + body)
            plain.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: plain.recv(65536), b""))


@unittest.skipUnless(GUIDE.exists(), "the guide is not here: this is a copy of the example")
class Guide(unittest.TestCase):
    def test_the_guide_shows_the_lines_that_run(self):
        _, _, rest = GUIDE.read_text(encoding="utf-8").partition("```python\n")
        shown = [line.strip() for line in rest.partition("```")[0].splitlines()]
        run = [line.strip() for line in PROGRAM.read_text(encoding="utf-8").splitlines()]
        self.assertGreater(len(shown), 4)
        self.assertIn(shown, [run[at : at + len(shown)] for at in range(len(run))])


if __name__ == "__main__":
    unittest.main()
