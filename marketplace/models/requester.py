import base64
import hashlib

from cryptography.fernet import Fernet
from django.conf import settings
from django.db import models

from marketplace.identifiers import new_access_key_id, new_customer_id


def _fernet() -> Fernet:
    digest = hashlib.sha256(b"marketplace access keys\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


class Requester(models.Model):
    """Somebody who posts HITs and pays for them."""

    mturk_id = models.CharField(max_length=64, unique=True, default=new_customer_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    @property
    def account_number(self) -> str:
        """Twelve digits that always belong to this requester, where MTurk shows an AWS account."""
        digest = hashlib.sha256(f"account {self.mturk_id}".encode()).digest()
        return f"{int.from_bytes(digest) % 10**12:012d}"


class AccessKey(models.Model):
    """A key to sign with. Checking a signature needs the secret, so it is encrypted and not hashed."""

    requester = models.ForeignKey(Requester, models.PROTECT, related_name="access_keys")
    key_id = models.CharField(max_length=128, unique=True, default=new_access_key_id)
    encrypted_secret = models.BinaryField()
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.key_id

    @property
    def secret(self) -> str:
        return _fernet().decrypt(bytes(self.encrypted_secret)).decode()

    @secret.setter
    def secret(self, secret: str) -> None:
        self.encrypted_secret = _fernet().encrypt(secret.encode())
