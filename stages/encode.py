"""Stage `encode`: latents and text embeddings of instance, class and losing images, computed once."""

from __future__ import annotations

from anomend.diffusion.embeddings import encode_texts, save_encoded, save_texts
from anomend.diffusion.encoding import encode_image_set, load_encoders
from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.run import run_stage

SETS = {"instance": paths.INSTANCE, "class": paths.CLASS_IMAGES, "loser": paths.LOSERS}


def main() -> None:
    params = load_params()
    base, settings = params.base, params.encode
    pipeline = load_encoders(base, t5_8bit=settings.t5_8bit)
    for name, folder in SETS.items():
        instance = name == "instance"
        # A set that the recipe does not need is an empty folder. Instance images are always needed.
        if instance or any(folder.glob("*.png")):
            encoded = encode_image_set(pipeline, folder, base=base, settings=settings, augmented=instance)
            save_encoded(paths.ENCODED / f"{name}.safetensors", encoded)
    texts = encode_texts(
        pipeline,
        [*params.prompts.target, ""],
        max_sequence_length=base.max_sequence_length,
        batch_size=settings.batch_size,
    )
    save_texts(paths.ENCODED / "prompts.safetensors", texts)


if __name__ == "__main__":
    run_stage("encode", main)
