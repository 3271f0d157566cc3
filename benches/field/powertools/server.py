"""A thin shell of HTTP around a Lambda handler: each request becomes an event of an API gateway's proxy integration.

What the decorator raises becomes a status: 409 for a request in progress, 422 for another payload, 400 without a key.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aws_lambda_powertools.utilities.idempotency import exceptions

import once
import transfers

STATUSES = {
    exceptions.IdempotencyAlreadyInProgressError: 409,
    exceptions.IdempotencyValidationError: 422,
    exceptions.IdempotencyKeyError: 400,
}


class Context:
    """What the decorator asks of a Lambda's context: how long it may still run."""

    function_name = "transfers"

    def get_remaining_time_in_millis(self):
        return 30_000


@once.protect
def handler(event, context):
    status, headers, body = transfers.transfer(event["path"], json.loads(event["body"]))
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


class Shell(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {}, json.dumps(transfers.transfers()))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        event = {"httpMethod": "POST", "path": self.path, "headers": headers, "body": body}
        try:
            result = handler(event, Context())
        except tuple(STATUSES) as error:
            self.answer(STATUSES[type(error)], {"Retry-After": "1"}, json.dumps({"error": type(error).__name__}))
        except Exception as error:  # as an API gateway does: the function has failed
            self.answer(502, {}, json.dumps({"error": type(error).__name__}))
        else:
            self.answer(result["statusCode"], result["headers"], result["body"])

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Shell).serve_forever()
