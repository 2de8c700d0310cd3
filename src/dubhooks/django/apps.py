"""The app: checks, receivers from the settings, and everybody's handlers."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

__all__ = ["DubhooksConfig"]

HANDLERS = "dubhooks_handlers"
"""The module of an app that registers handlers."""


class DubhooksConfig(AppConfig):
    """``"dubhooks.django"`` in ``INSTALLED_APPS``."""

    name: str = "dubhooks.django"
    label: str = "dubhooks"
    verbose_name: str = "Dub webhooks"  # pyright: ignore[reportIncompatibleVariableOverride]

    def ready(self) -> None:
        """Register checks, build the receivers and import every app's handlers.

        Raises:
            ConfigurationError: the setting ``DUBHOOKS`` cannot work.
        """
        from ._settings import list_receivers
        from .checks import register

        register()
        # Here and not with the first delivery: a server runs no system checks.
        list_receivers()
        autodiscover_modules(HANDLERS)
