"""What events leave behind."""

from django.db import models


class Sale(models.Model):
    """A sale that a partner brought."""

    event_id = models.CharField(max_length=200)
    customer = models.CharField(max_length=200)
    cents = models.BigIntegerField()


class Lead(models.Model):
    """A new customer of a shop."""

    event_id = models.CharField(max_length=200)
    shop = models.CharField(max_length=200)
