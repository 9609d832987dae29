from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"

    def ready(self) -> None:
        """Say which HIT the new keys of a Connection must be able to see, and what our Events mean."""
        from mturkhub.accounts.actions.connections import register_known_hit
        from mturkhub.accounts.sentences import register_sentences
        from projects.activity import OWN_SENTENCES
        from projects.models import HIT

        register_known_hit(HIT.newest_known)
        register_sentences(OWN_SENTENCES)
