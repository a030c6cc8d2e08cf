"""Makes a construct without the checks that CDK's Python classes do before CDK's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import jsii

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import Construct

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


def unchecked(construct: Callable[Arguments, Made], props: type) -> Callable[Arguments, Made]:
    """Return a constructor like `construct` that leaves all checks to CDK in Node.js, which does them again anyway.

    CDK's Python classes check the type of each argument they know, given or not. For the sixty arguments of a function
    that takes about as long as making it. Type checkers see the arguments of `construct`.

    The new constructor converts nothing: where `construct` takes a struct or a `dict`, give the struct. A value of a
    wrong type raises the same error as from `construct`.

    Args:
        construct: The construct's class.
        props: The class of its properties, which knows their names in Node.js.
    """
    names: dict[str, str] | None = getattr(props, "__jsii_name_mapping__", None)
    if names is None:  # another release of jsii, of whose classes nothing is assumed
        return construct
    kind = cast("type[Made]", construct)

    def new(scope: Construct, id: str, **values: Any) -> Made:  # noqa: A002 - CDK's word
        made = kind.__new__(kind)
        given = {names[name]: value for name, value in values.items() if value is not None}
        try:
            jsii.create(kind, made, [scope, id, given])  # what the classes that CDK generates do, too
        except RuntimeError:
            props(**values)  # checks the types, and names the argument as it is called in Python
            raise
        return made

    return cast("Callable[Arguments, Made]", new)
