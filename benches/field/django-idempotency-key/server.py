"""Transfers as a Django project of one file."""

import json
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from waitress import serve

import once
import transfers

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no use here",
    MIDDLEWARE=once.MIDDLEWARE,
    IDEMPOTENCY_KEY=once.IDEMPOTENCY_KEY,
)


def view(request):
    if request.method == "GET":
        return JsonResponse(transfers.transfers(), safe=False)
    status, headers, body = transfers.transfer(request.path, json.loads(request.body))
    return JsonResponse(body, status=status, headers=headers)


urlpatterns = [path(way[1:], view) for way in [*transfers.WAYS, "/refused"]]

if __name__ == "__main__":
    serve(get_wsgi_application(), host="127.0.0.1", port=int(os.environ["PORT"]), threads=128)
