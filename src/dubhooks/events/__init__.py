"""The models, one module per subject; import them from ``dubhooks.webhooks`` or ``.postbacks``."""
