"""The middleware as its README sets it up, with the Redis backend ("a memory-backend for testing" is the other one)."""

import os

from idempotency_header_middleware import IdempotencyHeaderMiddleware
from idempotency_header_middleware.backends import RedisBackend
from redis.asyncio import from_url


def protect(app):
    backend = RedisBackend(redis=from_url(os.environ["REDIS_URL"]))
    app.add_middleware(IdempotencyHeaderMiddleware, backend=backend)
