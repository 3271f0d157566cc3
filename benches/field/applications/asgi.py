"""Transfers as a FastAPI application; `once.py` beside it puts the system in front."""

from fastapi import Body, FastAPI
from fastapi.responses import JSONResponse

import once
import transfers

app = FastAPI()


def way(path):
    def answer(asked: dict = Body()):
        status, headers, body = transfers.transfer(path, asked)
        return JSONResponse(body, status, headers)

    return answer


for path in [*transfers.WAYS, "/refused"]:
    app.post(path)(way(path))
app.get("/transfers")(transfers.transfers)
once.protect(app)
