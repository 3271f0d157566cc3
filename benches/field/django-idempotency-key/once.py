"""The middleware with the settings that its README shows, but for the status of a repeat.

As shown, a repeat is answered with 409 and the first answer's body; `None` stands for "the original request's status code".
"""

MIDDLEWARE = ["idempotency_key.middleware.IdempotencyKeyMiddleware"]

IDEMPOTENCY_KEY = {
    "ENCODER_CLASS": "idempotency_key.encoders.BasicKeyEncoder",
    "CONFLICT_STATUS_CODE": None,
    "HEADER": "HTTP_IDEMPOTENCY_KEY",
    "STORAGE": {"CLASS": "idempotency_key.storage.MemoryKeyStorage"},
    "LOCK": {"CLASS": "idempotency_key.locks.basic.ThreadLock", "ENABLE": True, "TIMEOUT": 0.1},
}
