// The module of @node-idempotency/nestjs, as its README registers it, with the adapter for Redis; handlers are decorated
// with `@Idempotent()`.

import { Module } from "@nestjs/common";
import { NodeIdempotencyModule, StorageAdapterEnum } from "@node-idempotency/nestjs";

@Module({
  imports: [
    NodeIdempotencyModule.forRootAsync({
      storage: { adapter: StorageAdapterEnum.redis, options: { url: process.env.REDIS_URL } },
      enforceIdempotency: true,
    }),
  ],
})
export class OnceModule {}
