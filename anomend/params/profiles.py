"""How the parameters of a run come about: the defaults, a profile over them, and what the user set over both.

- `profiles/default.yaml` has every parameter.
- `profiles/NAME.yaml` has the few that a profile changes; `inherits: OTHER` puts it over another file of that folder.
- `profiles/methods/NAME.yaml` are the defaults of a `train.method`, between the defaults and the profile.
- `profiles/levels/quick.yaml` lowers numbers of the profile where `level` is `quick`.
- `params.yaml` names the profile and has every parameter again, empty where the user set nothing. DVC's `exp run -S`
  changes only keys that are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from anomend.params.params import Params
from anomend.params.prompts import PromptParams
from anomend.params.types import Section, bounds
from anomend.project.yaml_files import read_yaml

DEFAULT = "default"
QUICK = "quick"
NULL = "none"
"""In params.yaml: sets a parameter to null, since an empty value there keeps the profile's."""

Values = dict[str, Any]


def merge(values: Mapping[str, Any], changes: Mapping[str, Any], section: Any = Params) -> Values:
    """Put changes over values, section by section. A parameter is replaced whole, also where it is a list or a mapping.

    Args:
        values: of a section.
        changes: the ones that replace them.
        section: the model of the section.
    """
    merged = dict(values)
    for key, change in changes.items():
        field = section.model_fields.get(key)
        inner = merged.get(key)
        nested = field is not None and is_section(field.annotation)
        both = isinstance(inner, Mapping) and isinstance(change, Mapping)
        merged[key] = merge(inner, change, field.annotation) if nested and both else change  # type: ignore[arg-type, union-attr]
    if section is PromptParams and "target" in changes and "siblings" not in changes:
        # Siblings are of one target: those of another one would say nothing.
        merged["siblings"] = []
    return merged


def profile_names(folder: Path) -> list[str]:
    """The profiles that a user can choose: the files of the folder except the defaults."""
    return sorted(path.stem for path in folder.glob("*.yaml") if path.stem != DEFAULT)


def method_names(folder: Path) -> list[str]:
    """The values of `train.method` that have defaults of their own."""
    return sorted(path.stem for path in folder.glob("methods/*.yaml"))


def read_profile(name: str, folder: Path, method: Any = None) -> Values:
    """The values of a profile with everything that it inherits, down to the defaults.

    Args:
        name: a profile, or another file of the folder without its ending, such as `shared/sd3`.
        folder: the profiles.
        method: a `train.method` whose defaults go over those of all; None, or one without a file: none.

    Raises:
        ValueError: a file is missing or is not a YAML mapping, inherits itself, or has a key that is not a parameter.
    """
    layers: list[Values] = []
    files: list[str] = []
    while True:
        if name in files:
            raise ValueError(
                f"{folder / name}.yaml inherits itself ({' -> '.join([*files, name])}): remove an `inherits`"
            )
        files.append(name)
        path = folder / f"{name}.yaml"
        layer = read_yaml(path)
        parent = layer.pop("inherits", None if name == DEFAULT else DEFAULT)
        refuse_unknown(layer, path)
        layers.append(layer)
        if parent is None:
            break
        name = str(parent)
    path = folder / "methods" / f"{method}.yaml"
    if isinstance(method, str) and path.is_file():
        of_method = read_yaml(path)
        refuse_unknown(of_method, path)
        layers.insert(-1, of_method)
    values: Values = {}
    for layer in reversed(layers):
        values = merge(values, layer)
    return values


def resolve(user: Mapping[str, Any], profiles: Path) -> Params:
    """The parameters of a run.

    Args:
        user: the content of params.yaml.
        profiles: folder of the profiles.

    Raises:
        ValueError: unknown profile, unknown key, or a value that is not allowed: one sentence per problem, with key,
            value and what is allowed.
    """
    profile = user.get("profile")
    if profile not in profile_names(profiles):
        raise ValueError(f"profile = {profile!r} is not known: choose one of {', '.join(profile_names(profiles))}")
    if "profiles" in user:
        raise ValueError("params.yaml has the key `profiles`: a profile is a file now, move it to profiles/NAME.yaml")
    settings = {key: value for key, value in user.items() if key != "profile"}
    refuse_unknown(settings, Path("params.yaml"))
    values, changes = read_profile(str(profile), profiles), set_by_user(settings, Params)
    train = merge(values, changes)["train"]
    values = read_profile(str(profile), profiles, train.get("method") if isinstance(train, Mapping) else None)
    if changes.get("level", values.get("level")) == QUICK:
        values = lowered(values, read_level(QUICK, profiles))
    return validated({"profile": profile} | merge(values, changes))


def read_level(name: str, profiles: Path) -> Values:
    """The limits of a level, from the folder `levels` of the profiles.

    Raises:
        ValueError: the file is missing, is not a YAML mapping, or has a key that is not a parameter.
    """
    path = profiles / "levels" / f"{name}.yaml"
    limits = read_yaml(path)
    refuse_unknown(limits, path)
    return limits


def lowered(values: Mapping[str, Any], limits: Mapping[str, Any]) -> Values:
    """Values whose numbers are at most the limits, section by section."""
    result = dict(values)
    for key, limit in limits.items():
        nested = isinstance(limit, Mapping)
        result[key] = lowered(values[key], limit) if nested else min(values[key], limit)
    return result


def set_by_user(values: Mapping[str, Any], section: Any) -> Values:
    """What is set in params.yaml: empty values are left out, and the word `none` is null where null is allowed."""
    settings: Values = {}
    for key, value in values.items():
        annotation = section.model_fields[key].annotation
        if is_section(annotation) and isinstance(value, Mapping):
            if inner := set_by_user(value, annotation):
                settings[key] = inner
        elif value == NULL and type(None) in get_args(annotation):
            settings[key] = None
        elif value is not None:
            settings[key] = value
    return settings


def refuse_unknown(values: Mapping[str, Any], file: Path) -> None:
    """Raises:
    ValueError: a key of a file is not a parameter; one sentence per key.
    """
    if unknown := list(_unknown(values, Params)):
        raise ValueError(
            "\n".join(f"{file}: {key} is not a parameter: remove it or fix its spelling" for key in unknown)
        )


def _unknown(values: Mapping[str, Any], section: Any) -> Iterator[str]:
    for key, value in values.items():
        field = section.model_fields.get(key)
        if field is None or key == "profile":
            yield key
        elif is_section(field.annotation) and isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in _unknown(value, field.annotation))


def is_section(annotation: Any) -> bool:
    """Whether a field is a section of parameters and not a single one."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def validated(values: Mapping[str, Any]) -> Params:
    """The parameters of complete values.

    Raises:
        ValueError: one sentence per problem.
    """
    try:
        return Params.model_validate(dict(values))
    except ValidationError as error:
        raise ValueError("\n".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "params.yaml"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{key} is missing: add it to profiles/{DEFAULT}.yaml"
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a parameter: remove it or fix its spelling"
    if problem["type"] == "value_error":
        return f"{key}: {message}" if problem["loc"] else message
    allowed = _allowed(problem["loc"])
    return f"{key} = {problem['input']!r}: {message[0].lower()}{message[1:]}" + (f" ({allowed})" if allowed else "")


def _allowed(loc: Sequence[int | str]) -> str:
    """The bounds of the parameter that a problem is about; empty where it has none."""
    model: Any = Params
    for part in loc:
        field = model.model_fields.get(part)
        if field is None:
            return ""
        model = field.annotation
        if not is_section(model):
            return bounds(field)
    return ""
