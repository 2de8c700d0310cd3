"""How long the long tests are, from the environment."""

import os

KILLS = int(os.environ.get("DUBHOOKS_TEST_QUEUE_KILLS", "20"))
"""How many times workers of a queue engine are killed; 60 in the long form."""
