"""A model with UltraVAD's parts and a repository's layout, small and knowing nothing: its weights are random numbers.

`build` writes it. This file is also the code that comes with the model: it is copied beside the weights, named in the
model's settings, and run by transformers from there, as that of a repository on the hub.

As in UltraVAD, Whisper's encoder hears no more than there is, eight of its frames at a time are projected to one token
of a Llama, and the Llama is a repository of its own, as are the settings of Whisper's features.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.whisper.modeling_whisper import WhisperEncoder

STACK = 8  # Whisper's frames to a token: 160 ms
HOP = 160  # samples of audio to a column of features, of which Whisper makes half a frame
MARKS = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
CHAT = (
    "{{ bos_token }}"
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


class UltravoxConfig(transformers.PretrainedConfig):
    model_type = "ultravox"

    def __init__(self, text_model_id: str = "", audio_config: dict[str, Any] | None = None, **rest: Any) -> None:
        self.text_model_id = text_model_id
        self.audio_config = transformers.WhisperConfig(**audio_config or {})
        super().__init__(**rest)


class Hearing(WhisperEncoder):
    """For less than 30 s: the original takes nothing else."""

    def forward(self, features: Tensor) -> Tensor:
        """[batch, mel bands, columns] -> [batch, columns / 2, width]"""
        frames = nn.functional.gelu(self.conv2(nn.functional.gelu(self.conv1(features)))).permute(0, 2, 1)
        frames = frames + self.embed_positions.weight[: frames.shape[1]]
        for layer in self.layers:
            frames = layer(frames, attention_mask=None, layer_head_mask=None)[0]
        return self.layer_norm(frames)


class Projector(nn.Module):
    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.ln_pre = LlamaRMSNorm(width_in * STACK)
        self.linear_1 = nn.Linear(width_in * STACK, 2 * width_out, bias=False)
        self.ln_mid = LlamaRMSNorm(width_out)
        self.linear_2 = nn.Linear(width_out, width_out, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        """[batch, frames, width_in] -> [batch, frames / 8, width_out], rounded up"""
        frames = nn.functional.pad(frames, (0, 0, 0, -frames.shape[1] % STACK))
        value, gate = self.linear_1(self.ln_pre(frames.unflatten(1, (-1, STACK)).flatten(2))).chunk(2, dim=-1)
        return self.linear_2(self.ln_mid(nn.functional.silu(gate) * value))


class UltravoxModel(transformers.PreTrainedModel):
    config_class = UltravoxConfig
    _keys_to_ignore_on_load_missing = (r"language_model\..*",)

    def __init__(self, config: UltravoxConfig) -> None:
        super().__init__(config)
        language = transformers.AutoConfig.from_pretrained(config.text_model_id)
        self.audio_tower = Hearing(config.audio_config)
        self.multi_modal_projector = Projector(config.audio_config.d_model, language.hidden_size)
        self.language_model = transformers.AutoModelForCausalLM.from_config(language)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **options: Any) -> "UltravoxModel":
        model = super().from_pretrained(*args, **options)
        model.language_model = transformers.AutoModelForCausalLM.from_pretrained(
            model.config.text_model_id, dtype=model.dtype
        )
        return model

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        audio_values: Tensor,
        audio_token_start_idx: Tensor,
        audio_token_len: Tensor,
    ) -> Any:
        embedded = self.language_model.get_input_embeddings()(input_ids)
        start, length = int(audio_token_start_idx), int(audio_token_len)
        embedded[0, start : start + length] = self.hear(audio_values)[0, :length]
        return self.language_model(inputs_embeds=embedded, attention_mask=attention_mask)

    def hear(self, audio_values: Tensor) -> Tensor:
        """[batch, mel bands, columns] -> [batch, tokens, width]"""
        return self.multi_modal_projector(self.audio_tower(audio_values))


class UltravoxPipeline(transformers.Pipeline):
    def __init__(self, model: UltravoxModel, **options: Any) -> None:
        super().__init__(model=model, **options)
        self.features = transformers.AutoFeatureExtractor.from_pretrained(model.config.audio_config._name_or_path)

    def _sanitize_parameters(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, options, {}

    def preprocess(self, inputs: dict[str, Any]) -> transformers.BatchFeature:
        before, after = self._texts(inputs["turns"])
        values = self._mel(inputs["audio"], inputs["sampling_rate"])
        length = -(-values.shape[-1] // (2 * STACK))
        tokens = [*before, *[self.tokenizer.eos_token_id] * length, *after]
        data = {
            "input_ids": [tokens],
            "attention_mask": [[1] * len(tokens)],
            "audio_values": values,
            "audio_token_start_idx": [len(before)],
            "audio_token_len": [length],
        }
        return transformers.BatchFeature(data, tensor_type="pt")

    def _texts(self, turns: list[dict[str, str]]) -> tuple[list[int], list[int]]:
        text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        before, after = text.split("<|audio|>")  # one audio, one place for it
        return tuple(self.tokenizer([before, after], add_special_tokens=False)["input_ids"])

    def _mel(self, audio: NDArray[np.float32], rate: int) -> Tensor:
        """[1, mel bands, columns]"""
        heard = self.features(
            audio,
            sampling_rate=rate,
            padding="longest",
            pad_to_multiple_of=HOP,
            truncation=False,
            return_tensors="pt",
        )
        return heard.input_features.to(self.model.dtype)

    def _forward(self, inputs: dict[str, Any], **options: Any) -> Any:
        return self.model(**inputs)

    def postprocess(self, outputs: Any) -> Any:
        return outputs.logits


def build(folder: Path, *, end_of_turn: bool = True) -> Path:
    """Write the model, with its Llama and the settings of its features in folders beside it. The same one each time.

    `end_of_turn`: whether it has a token for that.
    """
    torch.manual_seed(8)
    language, hearing = folder.with_name("language"), folder.with_name("whisper")
    tokenizer = _tokenizer(MARKS if end_of_turn else MARKS[:-1])
    _llama(len(tokenizer)).save_pretrained(language)
    transformers.WhisperFeatureExtractor(feature_size=128).save_pretrained(hearing)
    model = UltravoxModel(_config(language, hearing))
    own = {name: value for name, value in model.state_dict().items() if not name.startswith("language_model.")}
    model.save_pretrained(folder, state_dict=own)
    tokenizer.save_pretrained(folder)
    _add_code(folder)
    return folder


def _config(language: Path, hearing: Path) -> UltravoxConfig:
    whisper = {
        "_name_or_path": str(hearing),
        "d_model": 32,
        "num_mel_bins": 128,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "init_std": 0.3,
    }
    return UltravoxConfig(text_model_id=str(language), audio_config=whisper)


def _llama(words: int) -> transformers.LlamaForCausalLM:
    """Its weights are large, so that its probabilities vary."""
    config = transformers.LlamaConfig(
        vocab_size=words,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
    )
    return transformers.LlamaForCausalLM(config)


def _tokenizer(marks: list[str]) -> transformers.PreTrainedTokenizerFast:
    """Bytes, and the marks of Llama 3's chats."""
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bytewise = Tokenizer(models.BPE(letters, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    bytewise.add_special_tokens(marks)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bytewise, bos_token=marks[0], eos_token=marks[-1], chat_template=CHAT
    )


def _add_code(folder: Path) -> None:
    module = Path(shutil.copy(__file__, folder)).stem
    settings = folder / "config.json"
    config = json.loads(settings.read_text())
    config["auto_map"] = {"AutoConfig": f"{module}.UltravoxConfig", "AutoModel": f"{module}.UltravoxModel"}
    config["custom_pipelines"] = {
        "ultravox-pipeline": {
            "impl": f"{module}.UltravoxPipeline",
            "pt": ["AutoModel"],
            "tf": [],
            "type": "multimodal",
        }
    }
    settings.write_text(json.dumps(config))
