import "reflect-metadata";

import { Body, Controller, Get, HttpException, Module, Post, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Idempotent } from "@node-idempotency/nestjs";

import { OnceModule } from "./once";

const { transfer, transfers } = require("../transfers");

/** Errors are thrown, as it is done in Nest. */
async function answer(path: string, asked: object, response: any) {
  const { status, location, body } = await transfer(path, asked);
  if (status >= 400) throw new HttpException(body, status);
  response.location(location);
  return body;
}

@Controller()
class Transfers {
  @Get("transfers")
  list() {
    return transfers();
  }

  @Idempotent()
  @Post("transfers")
  create(@Body() asked: object, @Res({ passthrough: true }) response: any) {
    return answer("/transfers", asked, response);
  }

  @Idempotent()
  @Post("slow")
  slow(@Body() asked: object, @Res({ passthrough: true }) response: any) {
    return answer("/slow", asked, response);
  }

  @Idempotent()
  @Post("fails")
  fails(@Body() asked: object, @Res({ passthrough: true }) response: any) {
    return answer("/fails", asked, response);
  }

  @Idempotent()
  @Post("refused")
  refused(@Body() asked: object, @Res({ passthrough: true }) response: any) {
    return answer("/refused", asked, response);
  }

  @Idempotent()
  @Post("large")
  large(@Body() asked: object, @Res({ passthrough: true }) response: any) {
    return answer("/large", asked, response);
  }
}

@Module({ imports: [OnceModule], controllers: [Transfers] })
class AppModule {}

async function main() {
  const app = await NestFactory.create(AppModule, { logger: ["error"] });
  await app.listen(Number(process.env.PORT), "127.0.0.1");
}

main();
