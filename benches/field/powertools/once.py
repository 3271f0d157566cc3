"""The `@idempotent` decorator around a Lambda handler, with the documented layer for Valkey and Redis.

The key is the client's header; without one the handler is not run.
"""

import os

import redis
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.idempotency.persistence.cache import CachePersistenceLayer

persistence_layer = CachePersistenceLayer(client=redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True))
config = IdempotencyConfig(event_key_jmespath='headers."idempotency-key"', raise_on_no_idempotency_key=True)
protect = idempotent(config=config, persistence_store=persistence_layer)
