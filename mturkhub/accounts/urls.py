"""Addresses of people, teams and ways to a market."""

from django.urls import path

from mturkhub.accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-in/<str:token>/", views.sign_in_link, name="sign_in_link"),
]
