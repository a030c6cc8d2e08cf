"""Frozen records for the modules a handler loads on every cold start.

`dataclasses` loads `inspect`, `ast` and `dis`, which costs a function more than all else it imports from here.
A `Record` subclass reads, prints, compares and type-checks as a frozen dataclass does. Modules that no function loads
use `dataclasses`.
"""

from __future__ import annotations

# Not typing.TYPE_CHECKING: see above.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, dataclass_transform
else:

    def dataclass_transform(**_: object) -> object:
        """Stand in for `typing.dataclass_transform`, which only type checkers read."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True, eq_default=True)
class Record:
    """A frozen value. Its fields are its class's annotations but `ClassVar`, in order, with the defaults they have.

    Records of one class are equal when their fields are. A default is shared by all records: give immutable ones.
    """

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        # Under the future import the annotations are strings, and up to Python 3.14 in the class's own dictionary.
        own = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - inspect is what this module avoids
        fields = (name for name, kind in own.items() if name not in cls._fields and not kind.startswith("ClassVar"))
        cls._fields = (*cls._fields, *fields)

    def __init__(self, *values: object, **named: object) -> None:
        fields = self._fields
        if len(values) > len(fields):
            message = f"{type(self).__name__} has {len(fields)} fields, found {len(values)} values"
            raise TypeError(message)
        state = dict(zip(fields, values, strict=False))
        for name in fields[len(values) :]:
            if name in named:
                state[name] = named.pop(name)
            elif not hasattr(type(self), name):
                message = f"{type(self).__name__} needs {name!r}"
                raise TypeError(message)
            else:
                state[name] = getattr(type(self), name)
        if named:
            message = (
                f"{type(self).__name__} has no field {next(iter(named))!r} left to set; fields: {', '.join(fields)}"
            )
            raise TypeError(message)
        self.__dict__.update(state)

    def __setattr__(self, name: str, value: object) -> None:
        message = f"{type(self).__name__} is frozen: cannot set {name!r}"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> None:
        message = f"{type(self).__name__} is frozen: cannot delete {name!r}"
        raise AttributeError(message)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__.values())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"
