// express-idempotency with its Redis adapter, as the two READMEs set them up: the middleware's own memory "is not
// recommended for production environment".

const idempotency = require("express-idempotency");
const RedisAdapter = require("express-idempotency-redis-adapter").default;

const adapter = new RedisAdapter({ connectionConfig: { url: process.env.REDIS_URL } });
adapter.connect().catch((error) => {
  throw error;
});

/** In front of every route that is posted to. */
const middleware = idempotency.idempotency({ dataAdapter: adapter });

/** As the README asks of each handler: nothing is done for a request that the middleware has answered. */
const isHit = (request) => idempotency.getSharedIdempotencyService().isHit(request);

module.exports = { middleware, isHit };
