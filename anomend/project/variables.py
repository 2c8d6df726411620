"""Environment variables of the libraries: what they may change in a result, and what this project does about it.

A variable that would change a result behind the parameters' back is refused, with the parameter to use instead. One
that chooses kernels, threads or where files come from changes rounding at most; it is written into
metrics/resources/<stage>.json. What the project needs, it sets. docs/staleness.md tells users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

SET = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "TOKENIZERS_PARALLELISM": "false"}
"""Set where the user has not: deterministic cuBLAS, and tokenizers that may fork."""


@dataclass(frozen=True)
class Refused:
    """A variable that is refused unless it has one of the harmless values, in small letters."""

    harmless: tuple[str, ...]
    fix: str


_OFF = ("", "0", "no", "false", "off")
REFUSED = {
    "ACCELERATE_MIXED_PRECISION": Refused(_OFF, "leave mixed precision out of the launcher, and set base.dtype"),
    # accelerate divides the loss by it; the gradients of a step are gathered by this project's own loop.
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": Refused(("", "1"), "unset it, and set train.micro_batch_size"),
    "ACCELERATE_DYNAMO_BACKEND": Refused(_OFF, "leave dynamo out of the launcher, and set train.compile"),
    "ACCELERATE_USE_DEEPSPEED": Refused(_OFF, "use a launcher's configuration without DeepSpeed, such as FSDP"),
    "ACCELERATE_USE_MEGATRON_LM": Refused(_OFF, "use a launcher's configuration without Megatron-LM, such as FSDP"),
    "CUBLAS_WORKSPACE_CONFIG": Refused(("", ":4096:8", ":16:8"), "unset it: others draw differently every time"),
    # Both win over torch's own switches, which this project turns off.
    "NVIDIA_TF32_OVERRIDE": Refused(_OFF, "unset it: TF32 has 10 bits where float32 has 23"),
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": Refused(_OFF, "unset it: TF32 has 10 bits where float32 has 23"),
    "TORCHINDUCTOR_USE_FAST_MATH": Refused(_OFF, "unset it: its results differ by more than rounding"),
    "XLA_DOWNCAST_BF16": Refused(_OFF, "unset it, and set base.dtype"),
    "XLA_USE_BF16": Refused(_OFF, "unset it, and set base.dtype"),
}
_RECORDED = re.compile(
    r"(ACCELERATE|ATEN|CUBLAS|CUDA|CUDNN|DIFFUSERS|DNNL|FLASH_ATTENTION|FSDP|HF|HUGGINGFACE|KMP|MKL|NCCL|NVIDIA|OMP|ONEDNN"
    r"|OPENBLAS|PYTORCH|TORCH|TORCHDYNAMO|TORCHINDUCTOR|TRANSFORMERS|TRITON|XLA)_\w+|PYTHONHASHSEED|\w+_BASE_URL"
)
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASS|AUTH")


def settle(environment: MutableMapping[str, str]) -> None:
    """Refuse variables that would change results, and set those that results need.

    Raises:
        ValueError: there is such a variable.
    """
    for name, rule in REFUSED.items():
        value = environment.get(name, "")
        if value.strip().lower() not in rule.harmless:
            raise ValueError(f"the environment variable {name} = {value!r} would change the result: {rule.fix}")
    for name, value in SET.items():
        if not environment.get(name):
            environment[name] = value


def recorded(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the libraries that are set, but no secrets."""
    return {
        name: re.sub(r"//[^/@\s]*@", "//", value)
        for name, value in sorted(environment.items())
        if _RECORDED.fullmatch(name) and not _SECRET.search(name) and value != SET.get(name)
    }
