"""Packs a function's code; no other module knows where that code comes from.

A packed folder holds the user's files, the packages of their requirements as uv resolves them for the function's
platform, `workmail_runtime`, those modules of `workmail_flow` that the code imports, and `.workmail/`, which records
how it was packed. Its hash is the same on every machine and covers what the function can run or read, no more.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workmail_constructs.defaults import ARCHITECTURE, PYTHON_VERSION
from workmail_constructs.imported_modules import imported_names, needed_modules
from workmail_constructs.packed_files import DEFAULT_EXCLUDES, NEVER_PACKED, PackedFiles, matching_pattern, packed_files
from workmail_flow.handler_requirements import PROJECT, REQUIREMENTS, RequirementsError, handler_requirements
from workmail_flow.packed_code import (
    RECORD_FOLDER,
    RECORDED_BUILD,
    RECORDED_REQUIREMENTS,
    RUNTIME_PACKAGES,
    SOURCES_VARIABLE,
    STEPS_PACKAGE,
    find_uv,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from workmail_flow.handler_requirements import HandlerRequirements

# Lambda's names, and uv's.
_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}
ARCHITECTURES: Final = tuple(_MACHINES)
OLDEST_PYTHON: Final = (3, 11)
"""The oldest that `workmail_runtime` runs under."""

# Not part of what is packed: they name the packages, which are packed instead.
_REQUIREMENT_FILES: Final = (REQUIREMENTS, PROJECT, "uv.lock")
# Files in which an installer records the machine it ran on, or files that are removed here.
_INSTALLER_TRACES: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
# Lines of a requirements file that say where packages come from, and the credentials in them.
_INDEX_LINE: Final = re.compile(r"\s*(-i|--index-url|--extra-index-url)\b")
_CREDENTIALS: Final = re.compile(r"//[^/@\s]+@")
# How a file begins that a kernel can run: a script or a Linux program.
_PROGRAMS: Final = (b"#!", b"\x7fELF")


class PackingError(RuntimeError):
    """A folder could not be packed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """What code is packed for: a Python version such as 3.13, and an architecture by Lambda's name."""

    python: str = PYTHON_VERSION
    architecture: str = ARCHITECTURE

    @property
    def platform(self) -> str:
        """Uv's name for it.

        Lambda runs Python 3.12 and newer on Amazon Linux 2023, whose glibc is 2.34. Python 3.11 runs on Amazon Linux 2
        with glibc 2.26; the next level below that uv knows is 2.17.
        """
        glibc = "2_34" if tuple(map(int, self.python.split("."))) >= (3, 12) else "2_17"
        return f"{_MACHINES[self.architecture]}-manylinux_{glibc}"


@dataclass(frozen=True, slots=True)
class PackedCode:
    """A packed folder, and the hash of what a function can run or read of it."""

    folder: Path
    hash: str


@cache
def pack(
    folder: Path, *, include: tuple[Path, ...] = (), exclude: tuple[str, ...] = (), target: Target = Target()
) -> PackedCode:
    """Pack a handler's folder; the same arguments are packed once per process.

    Args:
        folder: Absolute path of the folder.
        include: Absolute paths of folders and modules to pack beside its content.
        exclude: Patterns of files to leave out, besides the default ones.
        target: What the requirements are resolved for.

    Raises:
        PackingError: Two files have one place, code imports what is left out, or the requirements cannot be resolved.
    """
    users = _users_files(folder, include, (*DEFAULT_EXCLUDES, *exclude))
    try:
        requirements = handler_requirements(folder)
    except RequirementsError as error:
        raise PackingError(str(error)) from error
    packed = Path(tempfile.mkdtemp(dir=_staging_root()))
    record = _install(requirements, packed, target) if requirements else ""
    names = (*users.files, *(source.name for source in include))
    if taken := [name for name in names if (packed / name).exists()]:
        raise PackingError(
            f"{folder}: found {', '.join(taken)}, which its requirements install too: rename or remove it"
        )
    if taken := [package for package in RUNTIME_PACKAGES if (packed / package).exists()]:
        raise PackingError(
            f"{requirements and requirements.file}: found a requirement that installs {', '.join(taken)}, which is "
            "packed anyway; leave workmail-constructs out"
        )
    for path, source in users.files.items():
        _copy(source, packed / path)
    _add_ours(packed)
    (packed / RECORD_FOLDER).mkdir()
    build = {"platform": target.platform, "python": target.python}
    (packed / RECORDED_BUILD).write_text(json.dumps(build) + "\n", encoding="utf-8")
    if record:
        (packed / RECORDED_REQUIREMENTS).write_text(record, encoding="utf-8")
    _make_readable(packed)
    code = PackedCode(packed, packed_hash(packed))
    if sources := os.environ.get(SOURCES_VARIABLE):
        generated = _text_files(folder) if folder.is_relative_to(_staging_root()) else None
        own = Source(str(folder), tuple(map(str, include)), exclude, target.python, target.architecture, generated)
        with open(sources, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps([code.hash, asdict(own)])}\n")
    return code


@dataclass(frozen=True, slots=True)
class Source:
    """What a packed folder was packed of: the arguments of `pack`.

    Args:
        generated: The files of a folder that this process made, and that is gone with it.
    """

    folder: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    python: str
    architecture: str
    generated: dict[str, str] | None

    def files(self) -> dict[str, Path]:
        """Return what would be packed of the user's own files now, by path in the packed code."""
        excludes = (*DEFAULT_EXCLUDES, *self.exclude)
        of_folder = {} if self.generated else packed_files(Path(self.folder), excludes=excludes).files
        for source in map(Path, self.include):
            of_folder |= packed_files(source, name=source.name, excludes=excludes).files
        return of_folder

    def pack(self) -> PackedCode:
        """Pack it as it is now.

        Raises:
            PackingError: It cannot be packed.
        """
        folder = generated_folder(self.generated) if self.generated else Path(self.folder)
        pack.cache_clear()
        include = tuple(map(Path, self.include))
        return pack(folder, include=include, exclude=self.exclude, target=Target(self.python, self.architecture))


def _text_files(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}


def _users_files(folder: Path, include: Iterable[Path], excludes: tuple[str, ...]) -> PackedFiles:
    """Return what is packed of a handler's folder and of what it includes.

    Raises:
        PackingError: Names clash, a path cannot be packed, or code imports what is left out.
    """
    packages = (*RUNTIME_PACKAGES, STEPS_PACKAGE)
    reserved = (*packages, *(f"{package}.py" for package in packages), RECORD_FOLDER)
    all_of = packed_files(folder, excludes=excludes)
    problems = []
    if taken := [name for name in reserved if (folder / name).exists()]:
        problems.append(f"{folder}: found {', '.join(taken)}, which packing would overwrite: rename or remove it")
    for name in _REQUIREMENT_FILES:
        all_of.files.pop(name, None)
    # By the name that an import uses: `shared/` and `shared.py` cannot both be imported.
    owners = {path.partition("/")[0].removesuffix(".py"): str(folder) for path in all_of.files}
    owners |= dict.fromkeys((*packages, RECORD_FOLDER), "what is packed with every handler")
    for source in include:
        name = source.name.removesuffix(".py")
        if name in owners:
            problems.append(
                f"include: found {source}, but {owners[name]} has the name {name} too; names at the top of the packed "
                "code must differ, so rename one"
            )
            continue
        owners[name] = str(source)
        found = packed_files(source, name=source.name, excludes=excludes)
        all_of.left_out = {path: each for path, each in all_of.left_out.items() if path != source.name}
        all_of.files |= found.files
        all_of.left_out |= found.left_out
        all_of.problems += found.problems
    problems += [*all_of.problems, *_imports_of_left_out(all_of)]
    if problems:
        raise PackingError("\n".join(problems))
    return all_of


def _imports_of_left_out(users: PackedFiles) -> Iterator[str]:
    """Report code that would fail in Lambda, since what it imports is not packed."""
    modules = {path.removesuffix(".py"): path for path in users.left_out}
    for path, source in users.files.items() if modules else ():
        if not path.endswith(".py"):
            continue
        try:
            names = imported_names(source.read_bytes(), package=path.rpartition("/")[0].replace("/", "."))
        except (SyntaxError, ValueError):  # perhaps code for a newer Python than this one
            continue
        imported = {name.replace(".", "/") for name in names}
        for module in sorted(modules.keys() & {each for name in imported for each in _with_parents(name)}):
            left_out = modules[module]
            yield (
                f"{source}: imports {module.replace('/', '.')}, but the pattern {users.left_out[left_out]!r} leaves "
                f"{left_out} out; rename it, name it in include, or leave {path} out with exclude"
            )


def _with_parents(path: str) -> Iterator[str]:
    yield path
    while path := path.rpartition("/")[0]:
        yield path


def _add_ours(packed: Path) -> None:
    """Add the runtime, and of the steps and the domain the modules that are imported.

    The user's code is read by words only: it may be code of a newer Python, or import by a computed name. Ours is read
    by its imports, so that a word in a comment packs nothing.
    """
    flow, runtime, rules = map(_source_of, (*RUNTIME_PACKAGES, STEPS_PACKAGE))
    users = [file.read_bytes() for file in packed.rglob("*.py")]
    steps = _named_modules(rules, users)
    ours = [(file, runtime) for file in runtime.rglob("*.py")]
    ours += [(file, rules) for file in (needed_modules(rules, rules.name, steps) if steps else ())]
    names = _named_modules(flow, users)
    for file, package in ours:
        inside = ".".join((package.name, *file.relative_to(package).parts[:-1]))
        names |= imported_names(file.read_bytes(), package=inside)
    ours += [(file, flow) for file in needed_modules(flow, flow.name, names)]
    for file, package in ours:
        _copy(file, packed / package.name / file.relative_to(package))


def _named_modules(package: Path, sources: Iterable[bytes]) -> set[str]:
    """Return the modules of a package that code names, the package among them if it is named at all."""
    modules = {path.stem for path in package.glob("*.py")}
    naming = [source.decode(errors="replace") for source in sources if package.name.encode() in source]
    words = {word for text in naming for word in re.findall(r"\w+", text)}
    return {package.name, *(f"{package.name}.{word}" for word in modules & words)} if naming else set()


def generated_folder(files: Mapping[str, str]) -> Path:
    """Return a folder with these files, by name; the same files are the same folder."""
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    folder = _staging_root() / f"generated-{digest[:16]}"
    if not folder.is_dir():
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
    return folder


def source_of(module: str) -> str:
    """Return the text of a handler of ours for a template to carry, which takes one file.

    What the handler imports of its own package stands before it, in place of the import.
    """
    package = re.escape(module.partition(".")[0])
    shared = re.compile(rf"^from ({package}\.\w+) import (?:\([^)]*\)|.*)\n", re.MULTILINE)
    text = _text_of(module)
    before = [_text_of(name) for name in shared.findall(text)]
    if before:
        text = shared.sub("", text).replace("from __future__ import annotations\n", "")
    return "\n\n".join([*before, text])


def _text_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PackingError(f"{module} is not installed with workmail_constructs: install workmail-constructs again")
    return Path(spec.origin).read_text(encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _make_readable(packed: Path) -> None:
    """Give every file the mode that Lambda needs, whatever the umask, and take out files with secrets.

    The user's own were never copied; a package may bring some too.
    """
    for path in [path for path in packed.rglob("*") if path.is_file() and matching_pattern(path.name, NEVER_PACKED)]:
        path.unlink()
    for path in (packed, *packed.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def packed_hash(packed: Path) -> str:
    """Hash paths, content and which files are programs. Modes of other files differ between machines."""
    digest = hashlib.sha256()
    files = {file.relative_to(packed).as_posix(): file for file in packed.rglob("*") if file.is_file()}
    for path, file in sorted(files.items()):
        if path.startswith(f"{RECORD_FOLDER}/") or fnmatchcase(path, "*.dist-info/WHEEL"):
            continue  # a function reads neither; the second names the version of the tool that built a package
        content = file.read_bytes()
        if fnmatchcase(path, "*.dist-info/METADATA"):
            content = content.partition(b"\n\n")[0]  # without the package's README
        is_program = bool(file.stat().st_mode & 0o100) and content.startswith(_PROGRAMS)
        digest.update(json.dumps([path, is_program, hashlib.sha256(content).hexdigest()]).encode())
    return digest.hexdigest()


def _source_of(package: str) -> Path:
    """Return the folder of one of our packages, in a checkout or installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PackingError(f"{package} is not installed with workmail_constructs: install workmail-constructs again")
    return Path(spec.submodule_search_locations[0])


@cache
def _staging_root() -> Path:
    """Return this process's folder for packed code. CDK copies from it while an app is built; it is removed at exit."""
    root = Path(tempfile.mkdtemp(prefix="workmail-constructs-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


def _install(requirements: HandlerRequirements, packed: Path, target: Target) -> str:
    """Install a handler's requirements; return the requirements file that resolves them again."""
    file = requirements.file
    uv = find_uv()
    if uv is None:
        raise PackingError(
            f"{file}: packing these requirements needs uv, which was found neither beside {sys.executable} "
            "nor on PATH; install it with: pip install uv"
        )
    # Only projects on this machine are built, and again each time: uv's cache does not see a change in their code.
    built = [arg for name in requirements.local_projects for arg in ("--no-binary", name, "--refresh-package", name)]
    command = [
        *(uv, "pip", "install", "--quiet", "--no-progress"),
        *("--target", str(packed), "--link-mode", "copy", "--no-compile-bytecode"),
        *("--python", sys.executable, "--python-version", target.python, "--python-platform", target.platform),
        *("--only-binary", ":all:", *built, "--requirements", file.name),
    ]
    # An editable install is a link to this machine. Not the option: older uv does not have it.
    environment = {**os.environ, "UV_NO_EDITABLE": "1"}
    # uv runs in the folder, so that relative paths inside a requirements file are right.
    done = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackingError(
            f"{file}: found requirements that uv cannot resolve for Python {target.python} on {target.platform}; "
            "allowed are packages with a wheel for that platform or a pure Python wheel, and projects on this machine "
            "whose pyproject.toml has a [project] name; change the requirements, or "
            f"build the function yourself and pass it as function=. uv says:\n{done.stderr.strip()}"
        )
    # Scripts name this machine's interpreter, and Lambda runs no scripts.
    shutil.rmtree(packed / "bin", ignore_errors=True)
    (packed / ".lock").unlink(missing_ok=True)
    text = file.read_text(encoding="utf-8-sig") if file.name == REQUIREMENTS else ""
    indexes = [_CREDENTIALS.sub("//", line) for line in text.splitlines() if _INDEX_LINE.match(line)]
    record = "".join(f"{line}\n" for line in [*indexes, *_pinned(file, packed)])
    for trace in (trace for name in _INSTALLER_TRACES for trace in packed.glob(f"*.dist-info/{name}")):
        trace.unlink()
    return record


def _pinned(file: Path, packed: Path) -> Iterator[str]:
    """Return the installed packages as requirements of exactly these versions, without those from this machine."""
    for info in sorted(packed.glob("*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        source = info / "direct_url.json"
        origin = json.loads(source.read_text(encoding="utf-8")) if source.exists() else {}
        if origin.get("dir_info", {}).get("editable"):
            raise PackingError(
                f"{file}: found {name} as an editable install, which is a link to this machine; name its folder "
                "without -e and without editable = true"
            )
        if "url" not in origin:
            yield f"{name}=={version}"
        elif not origin["url"].startswith("file:"):
            # A version control address needs its scheme.
            vcs = origin.get("vcs_info", {})
            at = f"@{vcs['commit_id']}" if vcs else ""
            yield f"{name} @ {vcs['vcs'] + '+' if vcs else ''}{_CREDENTIALS.sub('//', origin['url'])}{at}"
