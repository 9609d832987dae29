from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intentions", "0004_next_operation"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="adds_up",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunSQL(
            "update intentions_operation set adds_up = true where family = 'hit_answers'",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveConstraint(
            model_name="operation",
            name="one_next_operation",
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("adds_up", False),
                    ("is_next", True),
                    ("state__in", ["waiting", "queued", "sending", "unknown"]),
                ),
                fields=("family", "target_id"),
                name="one_next_operation",
            ),
        ),
    ]
