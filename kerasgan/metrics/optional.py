"""Packages of the extra `metrics`, imported when a metric needs them."""

import importlib
from types import ModuleType

from kerasgan.cli import UserError


def required(module: str) -> ModuleType:
    """Imports a module that only the extra `metrics` installs.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"Measuring pictures needs optional packages. Received: {error}. "
            "Type: pip install 'kerasgan[metrics]'"
        ) from error
