"""The tables of the app."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Both tables, as ``makemigrations`` wrote them."""

    initial = True

    operations = (
        migrations.CreateModel(
            name="Lead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event_id", models.CharField(max_length=200)),
                ("shop", models.CharField(max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="Sale",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event_id", models.CharField(max_length=200)),
                ("customer", models.CharField(max_length=200)),
                ("cents", models.BigIntegerField()),
            ],
        ),
    )
