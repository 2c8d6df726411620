"""Parameters of a LoRA that another program trained: where its file is, and whose it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from anomend.params.types import Section, Text

Repository = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


class ExternalLoraParams(Section):
    """A LoRA that another program trained (docs/elsewhere.md)."""

    file: Text | None = Field(
        default=None,
        description="A .safetensors file, or a folder that PEFT wrote, with adapter_config.json; with `repository`, "
        "the file's name in it. null: no such LoRA.",
    )
    repository: Repository | None = Field(
        default=None, description="Repository on the Hugging Face hub that has the file; null: it is on this machine."
    )
    revision: Commit | None = Field(
        default=None, description="Commit of the repository, all 40 digits; a branch may move, and is refused."
    )
    author: Text | None = Field(
        default=None, description="Whose LoRA it is, for the metrics and the report; null: the repository's owner."
    )
    source: Text | None = Field(
        default=None, description="Where it comes from, in words or as an address, for the metrics and the report."
    )

    @property
    def in_use(self) -> bool:
        """Whether a LoRA is named."""
        return self.file is not None

    @property
    def local_file(self) -> str | None:
        """The file or folder on this machine; None for one of the hub, which is pinned by its commit."""
        return None if self.repository else self.file

    @property
    def owner(self) -> str:
        """Whose LoRA it is."""
        return self.author or (self.repository or "").partition("/")[0]

    @property
    def origin(self) -> str:
        """Where it comes from; empty where nobody said so."""
        return self.source or (f"{self.repository}@{self.revision}" if self.repository else "")

    @model_validator(mode="after")
    def _named_whole(self) -> ExternalLoraParams:
        if self.file is None:
            named = [name for name in ("repository", "revision", "author", "source") if getattr(self, name)]
            if named:
                raise ValueError(f"{named[0]} is set, and file is not: set file too, or {named[0]} to none")
            return self
        if (self.repository is None) != (self.revision is None):
            have, lacks = ("repository", "revision") if self.repository else ("revision", "repository")
            raise ValueError(f"{have} is set, and {lacks} is not: a file of the hub is named by both")
        if not self.owner:
            raise ValueError(f"file = {self.file!r} has no author: say in author whose LoRA it is")
        return self
