from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        """Say which HIT the new keys of a Connection must be able to see."""
        from mturkhub.accounts.actions.connections import register_known_hit
        from projects.models import HIT

        register_known_hit(HIT.newest_known)
