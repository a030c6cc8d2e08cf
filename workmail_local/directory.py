"""The organization's directory of a local WorkMail: users, groups and mail domains, in a file of the state folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.address import address_key, address_problem
from workmail_local.state_file import read_state_file
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DIRECTORY_FILE: Final = "directory.json"
"""Its name in the state folder."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A user or a group.

    Args:
        email: Its address.
        aliases: Its other addresses.
        members: Of a group: the addresses of users and groups.
        is_group: Whether it is a group.
    """

    email: str
    aliases: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    is_group: bool = False

    @property
    def id(self) -> str:
        """Made from the address, so that it is the same in every run."""
        digits = sha256(address_key(self.email).encode()).hexdigest()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))

    @property
    def name(self) -> str:
        """The mailbox of its address."""
        return self.email.rpartition("@")[0]


@dataclass(frozen=True, slots=True)
class LocalDirectory:
    """Who there is; every organization of a local WorkMail has the same."""

    entities: tuple[Entity, ...] = ()
    domains: tuple[str, ...] = ()
    """The mail domains; the first one is the default domain."""

    @classmethod
    def parse(cls, data: Any) -> LocalDirectory:
        """Read a directory as its file has it.

        Raises:
            ValueError: Something in it is not as docs/local.md describes; the text says what.
        """
        _require_only(data, ("users", "groups", "domains"), "the directory")
        users = (_entity(each, f"users[{n}]", is_group=False) for n, each in enumerate(_listed(data, "users")))
        groups = (_entity(each, f"groups[{n}]", is_group=True) for n, each in enumerate(_listed(data, "groups")))
        entities = (*users, *groups)
        owners: dict[str, str] = {}
        for entity in entities:
            for address in (entity.email, *entity.aliases):
                other = owners.setdefault(address_key(address), entity.email)
                if other != entity.email:
                    raise ValueError(f"{address} is an address of {entity.email} and of {other}; give each one owner")
        known = {address_key(entity.email) for entity in entities}
        for entity in entities:
            if strangers := [each for each in entity.members if address_key(each) not in known]:
                raise ValueError(f"{entity.email} has the member {strangers[0]}, which is no user or group; add it")
        return cls(entities, tuple(_texts(data, "domains")))

    @classmethod
    def load(cls, state: Path) -> LocalDirectory:
        """Read the directory of a state folder; without its file it is empty.

        Raises:
            StateFileError: The file cannot be used.
        """
        path = state / DIRECTORY_FILE
        try:
            return read_state_file(path, cls.parse, remedy="correct it, or delete it for an empty directory")
        except FileNotFoundError:
            return cls()

    def by_email(self, address: str, *, with_aliases: bool = False) -> Entity | None:
        """Return what has this address; as its own, or also as an alias."""
        key = address_key(address)
        for entity in self.entities:
            addresses = (entity.email, *(entity.aliases if with_aliases else ()))
            if key in map(address_key, addresses):
                return entity
        return None

    def find(self, identifier: str) -> Entity | None:
        """Return what has this id, name or address."""
        return next((each for each in self.entities if identifier in (each.id, each.name)), self.by_email(identifier))

    def members_of(self, group: Entity) -> tuple[Entity, ...]:
        """Return the members of a group, without those of the groups in it."""
        return tuple(each for address in group.members if (each := self.by_email(address)))

    def groups_of(self, entity: Entity) -> tuple[Entity, ...]:
        """Return the groups that something is a member of."""
        return tuple(each for each in self.entities if entity in self.members_of(each))


def save_directory(state: Path, data: Mapping[str, Any]) -> None:
    """Write the directory of a state folder.

    Raises:
        ValueError: It is none; the text says why.
    """
    LocalDirectory.parse(data)
    write_whole_file(state / DIRECTORY_FILE, json.dumps(data, indent=1).encode())


def _entity(data: Any, where: str, *, is_group: bool) -> Entity:
    _require_only(data, ("email", "aliases", *(["members"] if is_group else [])), where)
    entity = Entity(
        str(data["email"]), tuple(_texts(data, "aliases")), tuple(_texts(data, "members")), is_group=is_group
    )
    for address in (entity.email, *entity.aliases, *entity.members):
        if problem := address_problem(address):
            raise ValueError(f"{where}: {address!r} is no address: {problem}")
    return entity


def _listed(data: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = data.get(name, ())
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise TypeError(f"{name} is {found!r}; it must be a list")
    return found


def _texts(data: Mapping[str, Any], name: str) -> Iterable[str]:
    return map(str, _listed(data, name))


def _require_only(data: Any, names: Sequence[str], where: str) -> None:
    if not isinstance(data, dict):
        raise TypeError(f"{where} is {data!r}; it must be an object")
    if unknown := sorted(data.keys() - set(names)):
        raise ValueError(f"{where} has {', '.join(unknown)}; allowed are {', '.join(names)}")
