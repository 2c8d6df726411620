"""Scale and shift of the latents, as one inverse pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch  # It takes seconds, and here it only names types.


@dataclass(frozen=True)
class LatentFormat:
    """How the VAE's latents become the transformer's, and back.

    Leaving out the shift on one side, as the paper's training script does, moves every training latent by
    shift * scale (0.093 for Stable Diffusion 3) relative to sampling. Having both directions here rules that out.
    """

    scaling_factor: float | torch.Tensor
    """A number, or one per channel, (C, 1, 1)."""
    shift_factor: float | torch.Tensor
    patch: int = 1
    """Side of the patches of latents that become channels before they are scaled: (C, h, w) -> (C p p, h/p, w/p)."""

    @classmethod
    def of(cls, vae: Any) -> LatentFormat:
        """The format in a VAE's configuration; a VAE without a shift has 0."""
        return cls(vae.config.scaling_factor, vae.config.shift_factor or 0.0)

    def process_in(self, encoded: torch.Tensor) -> torch.Tensor:
        """VAE's latents, (..., C, h, w), to the transformer's: (z - shift) * scale."""
        return (self._patched(encoded) - self.shift_factor) * self.scaling_factor

    def process_out(self, latents: torch.Tensor) -> torch.Tensor:
        """The transformer's latents to the VAE's: z / scale + shift."""
        unscaled = latents / self.scaling_factor + self.shift_factor
        if self.patch == 1:
            return unscaled
        from torch.nn.functional import pixel_shuffle

        return pixel_shuffle(unscaled, self.patch)

    def _patched(self, encoded: torch.Tensor) -> torch.Tensor:
        if self.patch == 1:
            return encoded
        from torch.nn.functional import pixel_unshuffle

        return pixel_unshuffle(encoded, self.patch)
