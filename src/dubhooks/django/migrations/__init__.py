"""Migrations of the tables of DjangoStore and DjangoInbox."""
