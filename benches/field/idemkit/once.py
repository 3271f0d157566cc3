"""The middleware as the README sets it up for production: Redis, and a scope for each caller."""

import os

from idemkit import HttpConfig, IdempotencyMiddleware, RedisBackend


def protect(app):
    app.add_middleware(
        IdempotencyMiddleware,
        backend=RedisBackend.from_url(os.environ["REDIS_URL"]),
        config=HttpConfig(scope=lambda request: request.headers.get("x-user-id", "anonymous")),
    )
