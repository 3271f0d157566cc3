#!/usr/bin/env python3
"""A client that asks for something once, in any number of attempts. The standard library only.

    payment = Intent.new(url, {"amount": 100})
    payment.save("payment.json")
    outcome = payment.settle()

Invariant: key and body are made once and written down before the first byte is sent, and no answer ever makes a new
key. What comes back is an `Answer`, `NotDone` or `Unknown`; never a guess.

From a terminal: pay.py URL JSON [--file FILE], and after an interruption pay.py --resume FILE.
"""

import argparse
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import asdict, dataclass
from http.client import HTTPException
from urllib.parse import urljoin

PROBLEM = "urn:problem-type:onlyonce:"
ATTEMPT_TIME = 90  # seconds; longer than the deadline of the route and the wait of a repeat
PAUSE_FIRST, PAUSE_MAX = 0.2, 20.0  # seconds between attempts, where the answer names none
NOT_NOW = (408, 425, 429, 502, 503, 504)  # said by whoever stands in between, or by an API that did nothing
PATIENCE = 300.0  # seconds after which an outcome that is not known is reported as such


@dataclass
class Answer:
    """The operation's result: also a refusal by the API itself is one."""

    status: int
    body: bytes
    replayed: bool


@dataclass
class NotDone:
    """Nothing was executed, and sending the same again does not help: somebody has to look."""

    status: int
    problem: dict


@dataclass
class Unknown:
    """It may have been executed. Ask again later with the same file; do not ask for it anew."""

    why: str


@dataclass
class Intent:
    """What somebody wants once: where, what, and the key that stands for it."""

    url: str
    body: str
    key: str

    @classmethod
    def new(cls, url, order):
        return cls(url, json.dumps(order), str(uuid.uuid4()))

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(**json.load(file))

    def save(self, path):
        """Writes it down so that a crash does not lose it: whole or not at all, and on disk.

        Raises FileExistsError where an intent lies already: replacing it would lose its key, and with it the one way to
        learn what became of it.
        """
        part = f"{path}.part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        finally:
            os.remove(part)

    def settle(self, patience=PATIENCE):
        """Sends until the outcome is known, or patience ends."""
        give_up_at, pause = time.monotonic() + patience, PAUSE_FIRST
        while True:
            outcome, why, wait = self.attempt()
            if outcome is not None:
                return outcome
            wait = wait if wait is not None else random.uniform(0, pause)
            pause = min(pause * 2, PAUSE_MAX)
            if time.monotonic() + wait > give_up_at:
                return Unknown(why)
            time.sleep(wait)

    def attempt(self):
        """One attempt: the outcome, or why there is none yet and how long to wait."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{self.key}"'}
        request = urllib.request.Request(self.url, self.body.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=ATTEMPT_TIME) as reply:
                return self.judge(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as reply:
            try:
                return self.judge(reply.code, reply.headers, reply.read())
            except (OSError, HTTPException) as error:  # it broke off
                return None, repr(error), None
        except (OSError, HTTPException) as error:  # not reached, or broken off: the same bytes may go again
            return None, repr(error), None

    def judge(self, status, headers, body):
        problem = problem_of(headers, body)
        if problem is None:
            said = headers.get("Idempotency-Status")
            if said == "unknown" or (said in (None, "released") and status in NOT_NOW):
                return None, f"answered {status}", seconds(headers)
            return Answer(status, body, headers.get("Idempotent-Replayed") == "true"), None, None
        if problem.get("retryable"):
            return None, problem["title"], seconds(headers)
        if problem.get("next") == "poll":
            return self.poll(problem, headers)
        return NotDone(status, problem), None, None

    def poll(self, problem, headers):
        """Asks what became of it. Once it is settled, the same request gets its result."""
        place = problem.get("operation")
        if place:
            try:
                with urllib.request.urlopen(urljoin(self.url, place), timeout=ATTEMPT_TIME) as reply:
                    if json.load(reply).get("state") != "unknown":
                        return None, problem["title"], 0.0
            except OSError:
                pass
        return None, problem["title"], seconds(headers) or 2.0


def problem_of(headers, body):
    """The problem document, if it is one about the key and not one of the API's own."""
    if not (headers.get("Content-Type") or "").startswith("application/problem+json"):
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    return problem if str(problem.get("type", "")).startswith(PROBLEM) else None


def seconds(headers):
    value = headers.get("Retry-After") or ""
    return float(value) if value.isdigit() else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?")
    parser.add_argument("order", nargs="?", help="a JSON document")
    parser.add_argument("--file", default="intent.json", help="where the intent is written down")
    parser.add_argument("--resume", metavar="FILE", help="go on with an intent that was written down")
    parser.add_argument("--patience", type=float, default=PATIENCE, metavar="SECONDS")
    arguments = parser.parse_args()
    if arguments.resume:
        intent = Intent.load(arguments.resume)
    elif arguments.url and arguments.order:
        intent = Intent.new(arguments.url, json.loads(arguments.order))
        try:
            intent.save(arguments.file)
        except FileExistsError:
            parser.error(f"{arguments.file} holds an intent: --resume it, or name another --file")
    else:
        parser.error("URL and JSON, or --resume FILE")
    outcome = intent.settle(arguments.patience)
    if not isinstance(outcome, Unknown):
        os.remove(arguments.resume or arguments.file)
    if isinstance(outcome, Answer):
        sys.stdout.write(outcome.body.decode(errors="replace") + "\n")
        print(f"{outcome.status}{' (replayed)' if outcome.replayed else ''}", file=sys.stderr)
        return 0 if outcome.status < 400 else 1
    if isinstance(outcome, NotDone):
        print(f"not done: {outcome.problem.get('detail')}", file=sys.stderr)
        return 1
    print(f"not known yet: {outcome.why}. Go on with --resume {arguments.resume or arguments.file}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
