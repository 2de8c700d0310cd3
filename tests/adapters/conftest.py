"""What the tests of all adapters share."""

import pytest

# Asserts in these say what they compared, as those in test modules do.
pytest.register_assert_rewrite("behaviour", "clients", "fastapi_routes")
