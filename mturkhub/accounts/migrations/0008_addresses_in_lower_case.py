"""allauth looks addresses up in lower case, so a person stored as Olive@… could not sign in by password."""

from django.db import migrations
from django.db.models.functions import Lower


def write_in_lower_case(apps, schema_editor):
    apps.get_model("accounts", "User").objects.update(email=Lower("email"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_invitation")]

    operations = [migrations.RunPython(write_in_lower_case, migrations.RunPython.noop)]
