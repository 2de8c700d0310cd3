"""The models, one module per subject.  Import them from ``dubhooks.webhooks`` or ``.postbacks``."""
