"""What a user did wrong, and what to do about it."""

import importlib
from types import ModuleType


class UserError(ValueError):
    """A mistake that the user can mend: the rule, the fact, and what to type, in one line."""


def required(module: str, extra: str, what: str = "This") -> ModuleType:
    """Imports a module that only an extra installs.

    Args:
        module: its dotted name.
        extra: one of those in setup.cfg.
        what: needs it, the beginning of a sentence: "`--crop face`" for example.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{what} needs packages of the extra `{extra}`. Received: {error}. "
            f'Type: pip install "kerasgan[{extra}]"'
        ) from error
