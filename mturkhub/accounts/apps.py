from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "mturkhub.accounts"

    def ready(self) -> None:
        from mturkhub.accounts import second_factors  # noqa: F401  # it listens
