"""Machine classes: the sizes a pool may boot, one TOML file each, next to this module.

A class is data that an operator may read, change and add to; this module only refuses what Fly would refuse,
or worse, silently ignore (an unknown size was seen to have no effect). A pool named gha-medium uses
``gha-medium.toml``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FOLDER = Path(__file__).parent
"""Where the classes that come with the product are."""

_MEMORY_STEP_MB = 256
_MB_PER_CPU: Mapping[str, tuple[int, int]] = {"shared": (256, 2048), "performance": (2048, 8192)}
_STOP_MAX_S = 300


@dataclass(frozen=True, slots=True)
class MachineClass:
    """One size of Machine.

    Attributes:
        name: the file's name without ``.toml``.
        description: for people, one line.
        memory_mb: in MiB.
        rootfs_gb: size of the root file system in GB, the image included.
        stop_timeout_s: seconds between the stop signal and the kill.
    """

    name: str
    description: str
    cpu_kind: Literal["shared", "performance"]
    cpus: int
    memory_mb: int
    rootfs_gb: int
    stop_timeout_s: int


class ClassFileError(Exception):
    """A class file cannot be used.

    Attributes:
        path: the file.
        mistakes: one sentence each, with key, what was found and what was expected.
    """

    def __init__(self, path: Path, mistakes: tuple[str, ...]) -> None:
        super().__init__(f"{path}: " + "; ".join(mistakes))
        self.path = path
        self.mistakes = mistakes


def load_classes(folder: Path = FOLDER) -> Mapping[str, MachineClass]:
    """Return every class of a folder by name, in alphabetical order.

    Raises:
        ClassFileError: one of the files is wrong, or the folder holds none.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise ClassFileError(folder, ("no machine class here; expected NAME.toml files",))
    return {file.stem: load_class(file) for file in files}


def load_class(file: Path) -> MachineClass:
    """Return the class that one file describes.

    Raises:
        ClassFileError: it cannot be read, or says something that Fly would refuse.
    """
    try:
        written = _ClassFile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ClassFileError(file, (f"cannot be read: {type(error).__name__}",)) from error
    except tomllib.TOMLDecodeError as error:
        raise ClassFileError(file, (f"is not TOML: {error}",)) from error
    except ValidationError as error:
        raise ClassFileError(file, _mistakes(error)) from error
    return MachineClass(
        name=file.stem,
        description=written.description,
        cpu_kind=written.guest.cpu_kind,
        cpus=written.guest.cpus,
        memory_mb=written.guest.memory_mb,
        rootfs_gb=written.rootfs.size_gb,
        stop_timeout_s=written.stop.timeout_s,
    )


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Guest(_Table):
    cpu_kind: Literal["shared", "performance"]
    cpus: Literal[1, 2, 4, 6, 8, 10, 12, 14, 16]
    memory_mb: int = Field(multiple_of=_MEMORY_STEP_MB)

    @model_validator(mode="after")
    def _memory_fits_the_cpus(self) -> Self:
        least, most = (self.cpus * per_cpu for per_cpu in _MB_PER_CPU[self.cpu_kind])
        if not least <= self.memory_mb <= most:
            raise ValueError(
                f"memory_mb = {self.memory_mb} does not fit {self.cpus} {self.cpu_kind} CPUs: "
                f"expected {least} to {most}"
            )
        return self


class _Rootfs(_Table):
    size_gb: int = Field(ge=8, le=500)


class _Stop(_Table):
    timeout_s: int = Field(ge=1, le=_STOP_MAX_S)


class _ClassFile(_Table):
    description: str = Field(min_length=1, max_length=100)
    guest: _Guest
    rootfs: _Rootfs
    stop: _Stop


def _mistakes(error: ValidationError) -> tuple[str, ...]:
    found = []
    for each in error.errors(include_url=False):
        key = ".".join(str(part) for part in each["loc"]) or "the file"
        value = each.get("input")
        shown = "" if isinstance(value, dict) else f", found {value!r}"
        found.append(f"{key}: {each['msg']}{shown}")
    return tuple(found)
