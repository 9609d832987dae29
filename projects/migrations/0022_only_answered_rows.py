"""The lists of newest answers leave rows without one out, and so do their indexes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0021_copies_are_not_checked_again"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="rowresult",
            name="row_result_by_answer",
        ),
        migrations.RemoveIndex(
            model_name="rowresult",
            name="row_result_progress_answer",
        ),
        migrations.AddIndex(
            model_name="rowresult",
            index=models.Index(
                condition=models.Q(last_answer_at__isnull=False),
                fields=["batch", "-last_answer_at", "-number"],
                name="row_result_by_answer",
            ),
        ),
        migrations.AddIndex(
            model_name="rowresult",
            index=models.Index(
                condition=models.Q(last_answer_at__isnull=False),
                fields=["batch", "progress", "-last_answer_at", "-number"],
                name="row_result_progress_answer",
            ),
        ),
    ]
