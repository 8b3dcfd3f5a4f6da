"""Small networks with random weights in the layouts in which speech encoders are published."""

from pathlib import Path

import torch

FAMILIES = ("wav2vec2", "wav2vec2-stable", "hubert", "wavlm")


def published_folder(folder: Path, family: str) -> Path:
    """A folder in Hugging Face's format: the real convolutions, but narrow, under two small layers.

    "wav2vec2" has wav2vec2-base's group norm over time, "wav2vec2-stable" the large networks' layer norms and bias.
    """
    import transformers

    name = {"hubert": "Hubert", "wavlm": "WavLM"}.get(family, "Wav2Vec2")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if family == "wav2vec2-stable":
        sizes |= {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**sizes, conv_dim=(16,) * 7)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    # Some networks were published for normalised sound, some were not.
    transformers.Wav2Vec2FeatureExtractor(do_normalize=name == "Wav2Vec2").save_pretrained(folder)
    return folder
