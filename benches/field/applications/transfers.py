"""Transfers, without any protection: what the Python applications do.

An effect is a line of the file that `EFFECTS` names; it is written before the answer is made, and is never taken back.
"""

import json
import os
import time
import uuid

MEGABYTE = 1024 * 1024

# What each path does: how long it works before its effect and after it, in seconds, with which status it answers, and how
# long its receipt is.
WAYS = {
    "/transfers": (0.03, 0, 201, 0),
    "/slow": (0.75, 0.75, 201, 0),
    "/fails": (0, 0, 500, 0),
    "/large": (0, 0, 201, 2 * MEGABYTE),
}


def transfer(path, asked):
    """Works, takes effect, works on, and answers: status, headers and what to send as JSON."""
    if path == "/refused":
        return 422, {}, {"error": "there is no such account"}
    before, after, status, receipt = WAYS[path]
    time.sleep(before)
    effect = {"id": str(uuid.uuid4()), "to": asked["to"], "amount": asked["amount"]}
    with open(os.environ["EFFECTS"], "a", encoding="utf-8") as effects:
        effects.write(json.dumps(effect) + "\n")
    time.sleep(after)
    return status, {"Location": "/transfers/" + effect["id"]}, {**effect, "receipt": "x" * receipt}


def transfers():
    """All effects."""
    try:
        with open(os.environ["EFFECTS"], encoding="utf-8") as effects:
            return [json.loads(line) for line in effects]
    except FileNotFoundError:
        return []
