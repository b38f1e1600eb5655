"""Models, offers and downloads as a real computer with 16 GB and no GPU has them."""

from app.core.model_settings import ModelSettings
from app.protocol.catalogue import CatalogueFile, CatalogueList, CatalogueModel
from app.protocol.downloads import Download, DownloadList
from app.protocol.models import (
    Fit,
    FoundFolder,
    FoundFolders,
    Loaded,
    ModelEntry,
    ModelList,
    ModelSettingsBody,
)
from app.protocol.network import NetworkStatus
from app.protocol.voice import SpeechModelEntry, VoiceChoices

GB, MB = 10**9, 10**6  # of files and transfers
GIB, MIB = 1024**3, 1024**2  # of memory
FREE = int(7.9 * GIB)


def fit(verdict: str, words: str, needed_gb: float = 1.0, speed: float | None = 12.0) -> Fit:
    return Fit(
        verdict=verdict,
        words=words,
        placement="cpu" if verdict != "too_large" else "",
        n_layers=32,
        context_length=8192,
        kv_type="f16",
        weight_bytes=int(needed_gb * 0.8 * GIB),
        kv_bytes=int(needed_gb * 0.15 * GIB),
        compute_bytes=int(needed_gb * 0.05 * GIB),
        needed_bytes=int(needed_gb * GIB),
        available_bytes=FREE,
        tokens_per_s=speed,
    )


GOOD = fit("good", "runs well: about 24 words a second", 0.4, 31.0)
SLOW = fit("slow", "slow: about 3 words a second", 5.1, 4.0)
TIGHT = fit("tight", "fits, but leaves only 0.6 GB for other programs", 7.3, 2.5)
TOO_LARGE = fit("too_large", "will not fit: needs 9.1 GB, 7.9 GB free", 9.1, None)

SMOL = ModelEntry(
    name="SmolLM2-135M-Instruct.Q4_1",
    path="/opt/h2ogpt/resources/models/chat/SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98 * MB,
    state="loaded",
    context_length=8192,
    source="bundled",
    architecture="llama",
    quantization="Q4_1",
    n_params=134_515_008,
    context_trained=8192,
    licence="Apache-2.0",
    has_template=True,
    verified=True,
    fit=GOOD,
    loaded=Loaded(
        context_length=8192,
        kv_type="f16",
        n_gpu_layers=0,
        n_layers=30,
        device="CPU",
        n_threads=2,
        notes=("The context was shortened from 16,384 to 8,192 tokens, because less memory was free.",),
        predicted_bytes=412 * MIB,
        measured_bytes=398 * MIB,
        predicted_tokens_per_s=31.0,
        measured_tokens_per_s=29.4,
    ),
)
QWEN = ModelEntry(
    name="Qwen2.5-7B-Instruct-Q4_K_M",
    path="/home/ada/.local/share/h2ogpt/models/Qwen2.5-7B-Instruct-Q4_K_M.gguf",
    size_bytes=int(4.36 * GB),
    state="available",
    source="downloaded",
    architecture="qwen2",
    quantization="Q4_K_M",
    n_params=7_615_616_512,
    context_trained=32768,
    licence="Apache-2.0",
    has_template=True,
    verified=True,
    freed_bytes=int(4.36 * GB),
    fit=SLOW,
)
LOADING = ModelEntry(
    name="Llama-3.2-3B-Instruct-Q4_K_M",
    path="/home/ada/.lmstudio/models/Llama-3.2-3B-Instruct-Q4_K_M.gguf",
    size_bytes=int(1.88 * GB),
    state="loading",
    source="lm_studio",
    architecture="llama",
    quantization="Q4_K_M",
    n_params=3_212_749_888,
    context_trained=131072,
    licence="Llama 3.2 Community",
    has_template=True,
    fit=fit("good", "runs well: about 7 words a second", 2.6, 9.0),
)
BROKEN = ModelEntry(
    name="mistral-7b-copy",
    path="/home/ada/models/mistral-7b-copy.gguf",
    size_bytes=int(1.2 * GB),
    state="broken",
    problem="The file ends in the middle of a weight: it is not whole.",
    hint="Copy or download it again.",
    source="imported",
    quantization="Q4_0",
)
MISSING = ModelEntry(
    name="phi-3-mini-4k",
    path="/media/usb/phi-3-mini-4k.gguf",
    size_bytes=int(2.2 * GB),
    state="missing",
    problem="The file is no longer where it was.",
    hint="Plug in the disk it is on, or remove the entry.",
    source="imported",
    n_params=3_821_079_552,
)
EMBEDDER = ModelEntry(
    name="all-MiniLM-L6-v2",
    path="/opt/h2ogpt/resources/models/embedding/all-MiniLM-L6-v2",
    size_bytes=23 * MB,
    state="available",
    kind="embedding",
    source="bundled",
    format="onnx",
    n_params=22_713_216,
    licence="Apache-2.0",
)
WHISPER = ModelEntry(
    name="whisper-tiny",
    path="/opt/h2ogpt/resources/models/speech-to-text/whisper-tiny/model.bin",
    size_bytes=78 * MB,
    state="available",
    kind="speech",
    source="bundled",
    format="ctranslate2",
    licence="MIT",
    fit=fit("good", "runs well: transcribes an hour in about 4 minutes", 0.2, 9.0),
)
JOE = ModelEntry(
    name="en_US-joe-medium",
    path="/opt/h2ogpt/resources/models/text-to-speech/en_US-joe-medium/en_US-joe-medium.onnx",
    size_bytes=63 * MB,
    state="available",
    kind="voice",
    source="bundled",
    format="onnx",
    fit=fit("good", "runs well: reads aloud without waiting", 0.2, 9.0),
)
THORSTEN = ModelEntry(
    name="piper-de-de-thorsten-medium",
    path="/home/ada/.local/share/h2ogpt/models/piper-de-de-thorsten-medium/de_DE-thorsten-medium.onnx",
    size_bytes=63 * MB,
    state="available",
    kind="voice",
    source="downloaded",
    format="onnx",
    freed_bytes=63 * MB,
    fit=fit("good", "runs well: reads aloud without waiting", 0.2, 9.0),
)
SOUND = (WHISPER, JOE, THORSTEN)
CHOICES = VoiceChoices(
    speech_models=(SpeechModelEntry(name="whisper-tiny", title="Whisper tiny", bundled=True),),
    voices=(
        SpeechModelEntry(name="en_US-joe-medium", title="Joe", bundled=True),
        SpeechModelEntry(name="de_DE-thorsten-medium", title="Thorsten"),
    ),
    speech_model="whisper-tiny",
    voice="en_US-joe-medium",
)
MODELS = ModelList(
    models=(SMOL, QWEN, LOADING, BROKEN, MISSING, EMBEDDER),
    default=SMOL.name,
    folder="/home/ada/.local/share/h2ogpt/models",
    disk_bytes=int(4.36 * GB),
)
FOLDERS = FoundFolders(
    folders=(
        FoundFolder(
            program="lm_studio",
            title="LM Studio",
            path="/home/ada/.lmstudio/models",
            n_models=4,
            size_bytes=int(14.2 * GB),
            in_use=True,
        ),
        FoundFolder(
            program="ollama",
            title="Ollama",
            path="/home/ada/.ollama/models",
            n_models=1,
            size_bytes=int(4.1 * GB),
            in_use=False,
        ),
    )
)


def qwen_files(repository: str, sizes: dict[str, float], fits: dict[str, Fit]) -> tuple[CatalogueFile, ...]:
    return tuple(
        CatalogueFile(
            name=f"{repository.split('/')[1]}-{quantization}.gguf",
            size_bytes=int(size * GB),
            quantization=quantization,
            fit=fits.get(quantization),
        )
        for quantization, size in sizes.items()
    )


QWEN_OFFER = CatalogueModel(
    id="qwen2.5-7b-instruct",
    title="Qwen 2.5 7B Instruct",
    repository="bartowski/Qwen2.5-7B-Instruct-GGUF",
    revision="8911e8a47f92bac19d6f5c64a2e2095bd2f7d031",
    family="Qwen",
    n_params=7_615_616_512,
    context_length=32768,
    licence="Apache-2.0",
    good_for="Answers from documents, code, tables and many languages; a good choice with 16 GB of memory.",
    languages="English, Chinese, German, French, Spanish and 24 more",
    files=qwen_files(
        "bartowski/Qwen2.5-7B-Instruct",
        {"Q8_0": 7.54, "Q6_K": 5.82, "Q4_K_M": 4.36, "Q3_K_M": 3.55},
        {"Q8_0": TOO_LARGE, "Q6_K": TIGHT, "Q4_K_M": SLOW, "Q3_K_M": SLOW},
    ),
    recommended="Qwen2.5-7B-Instruct-Q4_K_M.gguf",
)
LLAMA_OFFER = CatalogueModel(
    id="llama-3.2-3b-instruct",
    title="Llama 3.2 3B Instruct",
    repository="bartowski/Llama-3.2-3B-Instruct-GGUF",
    family="Llama",
    n_params=3_212_749_888,
    context_length=131072,
    licence="Llama 3.2 Community",
    licence_note="Commercial use is allowed below 700 million monthly users; name it “Built with Llama”.",
    good_for="Everyday questions and summaries on a laptop.",
    languages="English, German, French, Italian, Portuguese, Hindi, Spanish, Thai",
    needs_token=True,
    files=qwen_files(
        "bartowski/Llama-3.2-3B-Instruct",
        {"Q4_K_M": 1.88, "Q8_0": 3.19},
        {"Q4_K_M": fit("good", "runs well: about 7 words a second", 2.6, 9.0), "Q8_0": SLOW},
    ),
    recommended="Llama-3.2-3B-Instruct-Q4_K_M.gguf",
)
SMOL_OFFER = CatalogueModel(
    id="smollm2-1.7b-instruct",
    title="SmolLM2 1.7B Instruct",
    repository="HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF",
    family="SmolLM",
    n_params=1_711_376_384,
    context_length=8192,
    licence="Apache-2.0",
    good_for="Quick short answers on any computer; English only.",
    languages="English",
    files=qwen_files(
        "x/SmolLM2-1.7B-Instruct",
        {"Q4_K_M": 0.98},
        {"Q4_K_M": fit("good", "runs well: about 13 words a second", 1.5, 17.0)},
    ),
    recommended="SmolLM2-1.7B-Instruct-Q4_K_M.gguf",
)
LARGE_OFFER = CatalogueModel(
    id="llama-3.3-70b-instruct",
    title="Llama 3.3 70B Instruct",
    repository="bartowski/Llama-3.3-70B-Instruct-GGUF",
    family="Llama",
    n_params=70_553_706_496,
    context_length=131072,
    licence="Llama 3.3 Community",
    good_for="The best answers that one can run at home, with 64 GB of memory or two large GPUs.",
    files=qwen_files(
        "x/Llama-3.3-70B-Instruct",
        {"Q4_K_M": 39.6},
        {"Q4_K_M": fit("too_large", "will not fit: needs 44.9 GB, 7.9 GB free", 44.9, None)},
    ),
)
VISION_OFFER = CatalogueModel(
    id="gemma-3-4b-it",
    title="Gemma 3 4B (reads images)",
    repository="ggml-org/gemma-3-4b-it-GGUF",
    family="Gemma",
    n_params=3_880_099_328,
    context_length=131072,
    licence="Gemma",
    licence_note="Google's terms forbid some uses; read them first.",
    good_for="Questions about pictures and documents on a laptop.",
    files=(
        CatalogueFile(
            name="gemma-3-4b-it-Q4_K_M.gguf", size_bytes=int(2.32 * GB), quantization="Q4_K_M", fit=SLOW
        ),
        CatalogueFile(name="mmproj-model-f16.gguf", size_bytes=812 * MB, role="projector"),
    ),
    recommended="gemma-3-4b-it-Q4_K_M.gguf",
)
EMBEDDER_OFFER = CatalogueModel(
    id="bge-m3",
    title="BGE-M3",
    repository="gpustack/bge-m3-GGUF",
    kind="embedding",
    n_params=567_754_752,
    licence="MIT",
    good_for="Search by meaning in more than a hundred languages.",
    files=(CatalogueFile(name="bge-m3-Q8_0.gguf", size_bytes=635 * MB, quantization="Q8_0"),),
    recommended="bge-m3-Q8_0.gguf",
)
CATALOGUE = CatalogueList(
    models=(QWEN_OFFER, LLAMA_OFFER, SMOL_OFFER, LARGE_OFFER, VISION_OFFER, EMBEDDER_OFFER)
)

HIT = CatalogueModel(
    id="MaziyarPanahi/Mistral-7B-Instruct-v0.3-GGUF",
    title="Mistral-7B-Instruct-v0.3-GGUF",
    repository="MaziyarPanahi/Mistral-7B-Instruct-v0.3-GGUF",
    n_params=7_248_023_552,
    licence="apache-2.0",
    n_downloads=183_412,
)
OTHER_HIT = CatalogueModel(
    id="TheBloke/Mistral-7B-Instruct-v0.2-GGUF",
    title="Mistral-7B-Instruct-v0.2-GGUF",
    repository="TheBloke/Mistral-7B-Instruct-v0.2-GGUF",
    licence="apache-2.0",
    n_downloads=94_120,
)
HITS = CatalogueList(models=(HIT, OTHER_HIT))
HIT_FILES = CatalogueModel(
    id=HIT.id,
    title=HIT.title,
    repository=HIT.repository,
    revision="c170c708c41dac9275d15a8fff4eca08d52bab71",
    n_params=HIT.n_params,
    context_length=32768,
    licence="apache-2.0",
    n_downloads=HIT.n_downloads,
    files=qwen_files(
        "x/Mistral-7B-Instruct-v0.3",
        {"Q2_K": 2.54, "Q4_K_M": 4.07, "Q8_0": 7.17, "F16": 13.5},
        {
            "Q2_K": SLOW,
            "Q4_K_M": SLOW,
            "Q8_0": TIGHT,
            "F16": fit("too_large", "will not fit: needs 14.9 GB, 7.9 GB free", 14.9, None),
        },
    ),
    recommended="Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
)


def download(
    identity: str, title: str, state: str, done_gb: float, total_gb: float, **more: object
) -> Download:
    name = f"{title.replace(' · ', '-').replace(' ', '-')}.gguf"
    return Download(
        id=identity,
        title=title,
        repository="bartowski/" + title.split(" · ")[0].replace(" ", "-") + "-GGUF",
        revision="main",
        name=name,
        state=state,
        done_bytes=int(done_gb * GB),
        total_bytes=int(total_gb * GB),
        **more,  # type: ignore[arg-type]
    )


DONE = download(
    "d1", "SmolLM2 1.7B Instruct · Q4_K_M", "done", 0.98, 0.98, model="SmolLM2-1.7B-Instruct-Q4_K_M"
)
FAILED = download(
    "d2",
    "Gemma 3 4B · Q4_K_M",
    "failed",
    2.32,
    2.32,
    error_code="download.wrong_sha256",
    error_message="The file that came is not the one that was published: its fingerprint differs.",
    error_hint="It was deleted. Try again; if it happens again, the mirror may be damaged.",
)
VERIFYING = download("d3", "Llama 3.2 3B Instruct · Q4_K_M", "verifying", 1.21, 1.88)
PAUSED = download("d4", "Mistral 7B Instruct v0.3 · Q4_K_M", "paused", 1.44, 4.07)
RETRYING = download(
    "d5",
    "BGE-M3 · Q8_0",
    "retrying",
    0.31,
    0.62,
    retry_in_s=8.0,
    error_code="hub.limited",
    error_message="The hub asks for a pause: too many requests.",
)
RUNNING = download(
    "d6", "Qwen 2.5 7B Instruct · Q4_K_M", "running", 1.87, 4.36, bytes_per_s=11.4 * MB, eta_s=224.0
)
QUEUED = download("d7", "Phi 3.5 mini · Q4_K_M", "queued", 0.0, 2.23)
DOWNLOADS = DownloadList(downloads=(DONE, FAILED, VERIFYING, PAUSED, RETRYING, RUNNING, QUEUED))

NETWORK = NetworkStatus(
    offline=False,
    entries=(),
    n_entries=0,
    n_sent_bytes=0,
    n_received_bytes=0,
    has_token=False,
    token_place="",
    proxy="",
    endpoint="https://huggingface.co",
)


def settings_body(**changed: object) -> ModelSettingsBody:
    values = ModelSettings.model_validate(changed).model_dump(mode="json")
    return ModelSettingsBody(
        values=values, changed=tuple(changed), schema=ModelSettings.model_json_schema(mode="serialization")
    )
