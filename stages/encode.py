"""Stage `encode`: latents and text embeddings of instance, class and losing images, computed once."""

from __future__ import annotations

from pathlib import Path

from anomend.diffusion.embeddings import save_encoded, save_texts
from anomend.diffusion.encoding import encode_image_set, texts_at_a_time
from anomend.diffusion.loading import load_for_images
from anomend.diffusion.recipes import sampling_recipe, text_recipe
from anomend.diffusion.text_store import TextStore
from anomend.diffusion.texts import StoredTexts
from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder
from anomend.training.origins import needs_origins, write_origins

SETS = {"instance": paths.INSTANCE, "class": paths.CLASS_IMAGES, "loser": paths.LOSERS}


def main() -> None:
    params = load_params()
    base, settings = params.base, params.encode
    recipe = sampling_recipe(base, params.sample, code=recorded_fingerprint("sampler"))
    store = TextStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store))
    encode = StoredTexts(base, store, text_recipe(recipe, t5_8bit=settings.t5_8bit), ahead=params.sampled_prompts())
    pipeline = load_for_images(base)
    for name, folder in SETS.items():
        instance = name == "instance"
        # A set that the recipe does not need is an empty folder, except instance images, which are always collected.
        if not params.train.by_rewards if instance else any(folder.glob("*.png")):
            encoded = encode_image_set(
                pipeline, folder, base=base, settings=settings, encode=encode, augmented=instance
            )
            save_encoded(paths.ENCODED / f"{name}.safetensors", encoded)
    if needs_origins(params):
        write_origins(paths.ENCODED, {name: SETS[name] for name in ("instance", "loser")})
    texts = encode(
        [*params.prompts.target, *params.train.monitor.held_out_prompts, ""],
        max_sequence_length=base.max_sequence_length,
        batch_size=texts_at_a_time(base, settings),
    )
    save_texts(paths.ENCODED / "prompts.safetensors", texts)


if __name__ == "__main__":
    run_stage("encode", main)
