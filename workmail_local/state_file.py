"""JSON files of the state folder, which may be damaged, edited by hand, or of another release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")

READY_FILE = "daemon.json"
"""Written when the local WorkMail answers and removed at the end. It says where everything listens."""


class StateFileError(Exception):
    """A file of the state folder that cannot be used; the text says which one, what was found, and what to do."""


def read_state_file(path: Path, read: Callable[[Any], _T], *, remedy: str) -> _T:
    """Return what `read` makes of the file's JSON.

    Args:
        path: The file.
        read: Raises ValueError, LookupError, TypeError or AttributeError for JSON that it cannot use.
        remedy: What a person can do, for example "delete it".

    Raises:
        FileNotFoundError: There is no such file.
        StateFileError: It cannot be used.
    """
    try:
        return read(json.loads(path.read_bytes()))
    except KeyError as error:
        found = f"no {error.args[0]!r}"
    except UnicodeDecodeError:
        found = "text that is not UTF-8"
    except json.JSONDecodeError as error:
        found = f"text that is not JSON ({error})"
    except RecursionError:
        found = "JSON that is nested too deep"
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        found = f"what this release cannot read ({error})"
    raise StateFileError(f"{path}: found {' '.join(found.split())}; {remedy}")
