#!/usr/bin/env python3
"""A bank in one file: exactly once behind the gateway, with one unique column and no SDK.

The gateway names each operation in the header `Idempotency-Operation` and sends the same name with every
attempt. `transfer_once` below is all that this program does about it: a second attempt finds the first one's
row instead of making its own, also when both arrive at the same moment. The rest is plumbing.

Run it with `python3 transfers.py`, the gateway with `onlyonce gateway --config onlyonce.toml`.
"""

import argparse
import json
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SCHEMA = """
CREATE TABLE IF NOT EXISTS transfer (
    id           INTEGER PRIMARY KEY,
    operation    TEXT UNIQUE,  -- Idempotency-Operation; this is the one column
    from_account TEXT NOT NULL,
    to_account   TEXT NOT NULL,
    amount       INTEGER NOT NULL,  -- cents
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)"""


def transfer_once(db, operation, order):
    """Makes the transfer unless an attempt of this operation has; the answer is the row of the one that did."""
    with db:  # commits at the end, rolls back on any error
        db.execute("BEGIN IMMEDIATE")  # one writer at a time: a second attempt waits here for the first to commit
        db.execute(
            "INSERT INTO transfer (operation, from_account, to_account, amount) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (operation) DO NOTHING",
            (operation, order["from_account"], order["to_account"], order["amount"]),
        )
        row = db.execute("SELECT * FROM transfer WHERE operation = ?", (operation,)).fetchone()
    return dict(row)  # only now is it durable, so only now may anyone hear of it


def connect(path):
    """A connection whose every commit is on disk when it returns.

    The answer that follows a commit is kept by the gateway as the truth, so the commit must survive a power cut.
    In WAL mode FULL does that: the log is synced with each commit. (With the default rollback journal it would
    take EXTRA: a commit there is the removal of a file, and FULL does not sync the directory it is removed from.)
    """
    db = sqlite3.connect(path, timeout=5, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


class Refused(Exception):
    """The request is wrong and nothing was done: 400, or the status given."""

    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """One connection, one thread, one database connection."""

    protocol_version = "HTTP/1.1"  # keep-alive
    timeout = 30  # seconds that one read or write may take
    wbufsize = -1  # head and body leave in one write
    max_body = 64 * 1024

    def setup(self):
        super().setup()
        self.db = connect(self.server.options.database)

    def finish(self):
        try:
            super().finish()
        finally:
            self.db.close()

    def do_POST(self):
        self.respond(self.create)

    def do_GET(self):
        self.respond(self.read)

    def create(self, path, body):
        if path != "/transfers":
            raise Refused("there is nothing to POST to here", 404)
        operation, order = self.operation(), parse_order(body)
        pause(self.server.options.delay_before_ms)
        transfer = transfer_once(self.db, operation, order)
        pause(self.server.options.delay_after_ms)
        return 201, transfer

    def read(self, path, _body):
        if path == "/transfers":
            return 200, [dict(row) for row in self.db.execute("SELECT * FROM transfer ORDER BY id")]
        prefix, _, operation = path.rpartition("/")
        if prefix == "/transfers/by-operation":
            row = self.db.execute("SELECT * FROM transfer WHERE operation = ?", (unquote(operation),)).fetchone()
            if row:
                return 200, dict(row)
        raise Refused("there is no such thing here", 404)

    def operation(self):
        """The name that the gateway gave; a request without one came past it and must not move money."""
        names = self.headers.get_all("Idempotency-Operation", [])
        if len(names) != 1 or not 0 < len(names[0]) <= 255:
            raise Refused("exactly one Idempotency-Operation is needed: send this through the gateway")
        return names[0]

    def body(self):
        """The whole body. What was cut short is no request; what cannot be measured ends the connection."""
        lengths = self.headers.get_all("Content-Length", ["0"])
        self.close_connection, keep = True, self.close_connection  # until the next request's start is certain
        if "Transfer-Encoding" in self.headers:
            raise Refused("a Content-Length is needed", 411)
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise Refused("exactly one Content-Length is needed")
        if len(lengths[0]) > 9 or int(lengths[0]) > self.max_body:
            raise Refused("the body is too large", 413)
        body = self.rfile.read(int(lengths[0]))
        if len(body) < int(lengths[0]):
            raise ConnectionError("the body was cut short")
        self.close_connection = keep
        return body

    def respond(self, route):
        try:
            body = self.body()
            status, answer = route(urlsplit(self.path).path, body)
        except Refused as refused:
            status, answer = refused.status, {"error": str(refused)}
        except sqlite3.Error as error:
            # Whether the row is there, the next attempt will see. 503 without Retry-After says just that to the
            # gateway: outcome unknown. A 500 would be kept as the answer.
            print(f"database: {error}", file=sys.stderr)
            status, answer, self.close_connection = 503, {"error": "the database failed"}, True
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        """No line per request."""


def parse_order(body):
    """What is asked for, judged by the bytes alone: the same request gets the same verdict for ever."""
    try:
        order = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("the body is not JSON") from None
    if not isinstance(order, dict):
        raise Refused("the body is not an object")
    for name in ("from_account", "to_account"):
        value = order.get(name)
        if not (isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable()):
            raise Refused(f"{name} must be text of 1 to 64 characters")
    if type(order.get("amount")) is not int or not 0 < order["amount"] <= 10**12:
        raise Refused("amount must be a whole number of cents, at least 1")
    return order


def pause(milliseconds):
    """A slow bank, for tests: opens the window before the commit or between commit and answer."""
    time.sleep(milliseconds / 1000)


class Server(ThreadingHTTPServer):
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a caller that left is no news
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="A bank that moves money once per Idempotency-Operation.")
    parser.add_argument("--port", type=int, default=3000, help="0 takes a free one (default: 3000)")
    parser.add_argument("--database", default="transfers.db", metavar="PATH", help="(default: transfers.db)")
    parser.add_argument("--delay-before-ms", type=int, default=0, help="for tests: pause before the transaction")
    parser.add_argument("--delay-after-ms", type=int, default=0, help="for tests: pause between commit and answer")
    options = parser.parse_args()

    db = connect(options.database)  # stays open, so that the log outlives the last connection
    db.execute(SCHEMA)
    with Server(("127.0.0.1", options.port), Handler) as server:
        server.options = options
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
