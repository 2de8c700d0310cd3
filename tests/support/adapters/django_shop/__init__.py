"""An app of a project, with handlers that dubhooks finds."""
