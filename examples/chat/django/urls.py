"""The page of a room, the same as linod's."""

from pathlib import Path

from django.http import HttpResponse
from django.urls import path

PAGE = (Path(__file__).parent.parent / "page.html").read_bytes()

urlpatterns = [
    path("chat/<str:room>/", lambda request, room: HttpResponse(PAGE)),
]
