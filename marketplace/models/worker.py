from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from marketplace.identifiers import new_customer_id


class WorkerManager(BaseUserManager["Worker"]):
    def get_by_natural_key(self, username: str | None) -> "Worker":
        return self.get(mturk_id=username)


class Worker(AbstractBaseUser):
    """A person who answers HITs, and the only kind of user who signs in here."""

    mturk_id = models.CharField(max_length=64, unique=True, default=new_customer_id)
    email = models.EmailField(null=True, blank=True, unique=True)
    name = models.CharField(max_length=200, blank=True)
    # A requester trying out their own HITs; the id begins with ATEST.
    is_test = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    # Where they live, as ISO 3166 has it; the subdivision (a state) in the US only.
    country = models.CharField(max_length=2, blank=True)
    subdivision = models.CharField(max_length=2, blank=True)
    # Willing to see work for adults; and chosen by whoever runs this market.
    is_adult = models.BooleanField(default=False)
    is_master = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects: ClassVar[WorkerManager] = WorkerManager()

    USERNAME_FIELD = "mturk_id"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(country="", subdivision="")
                | models.Q(country__regex=r"^[A-Z]{2}$", subdivision="")
                | models.Q(country="US", subdivision__regex=r"^[A-Z]{2}$"),
                name="worker_locale_is_iso_3166",
            )
        ]

    def __str__(self) -> str:
        return self.mturk_id
