"""Tiny transformers models with weights drawn from a seed, saved as the library saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WORDS = ("a", "kite", "flies", "over", "the", "river", "blade", "fight", "lamp", "stone", "safe", "unsafe")
LABELS = ("S1", "S2", "S10", ",")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
TEMPLATE = (
    "{% for m in messages %}<turn> {{ m['content'] }} </turn> {% endfor %}"
    "{% if guideline is defined %}{{ guideline }} {% endif %}"
    "{% if add_generation_prompt %}<say>{% endif %}"
)
CONTROL = ("<turn>", "</turn>", "<say>")


def tokenizer(template: str | dict[str, str] | None = None) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *CONTROL, *WORDS, *LABELS))}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.add_special_tokens([*SPECIAL, *CONTROL])
    made = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    if template is not None:
        made.chat_template = template
    return made


def classifier(folder: Path, labels: tuple[str, ...], **settings: Any) -> Path:
    """Save a BERT of one layer."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer()),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=settings.pop("positions", 16),
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        **settings,
    )
    model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def guard(folder: Path, template: str | dict[str, str] | None = TEMPLATE, **changes: Any) -> Path:
    """Save a LLaMA of one layer that looks at the mean of all words so far and at the last one.

    It says ``unsafe S1 , S10`` where ``blade`` is among the words of the prompt, else ``safe``; with
    ``mute=True`` it has no preference for any word.
    """
    words = tokenizer(template)
    size = 32
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=size,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        intermediate_size=8,
        max_position_embeddings=changes.get("positions", 256),
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=3,
        bos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    at = words.get_vocab()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.zero_()
        model.model.embed_tokens.weight[:, : len(words)] = torch.eye(len(words), size)[:, : len(words)]
        attention = model.model.layers[0].self_attn
        attention.v_proj.weight.copy_(torch.eye(size))
        attention.o_proj.weight.copy_(torch.eye(size))
        head = model.lm_head.weight
        if not changes.get("mute"):
            head[at["safe"], at["<say>"]] = 2.0
            head[at["unsafe"], at["<say>"]] = 1.0
            head[at["unsafe"], at["blade"]] = 8.0
            for now, following in (("unsafe", "S1"), ("S1", ","), (",", "S10"), ("S10", "[SEP]")):
                head[at[following], at[now]] = 20.0
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def entities(folder: Path, labels: tuple[str, ...], tags: dict[str, str]) -> Path:
    """Save a BERT of one layer that gives each word its tag, by the word alone; others get "O"."""
    torch.manual_seed(0)
    words = tokenizer()
    size = 32
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=size,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.attention.output.dense.weight.zero_()
            layer.output.dense.weight.zero_()
        model.bert.embeddings.position_embeddings.weight.zero_()
        model.bert.embeddings.token_type_embeddings.weight.zero_()
        model.bert.embeddings.word_embeddings.weight.copy_(torch.eye(len(words), size))
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        for i in range(len(words)):
            tag = tags.get(words.convert_ids_to_tokens(i), "O")
            model.classifier.weight[labels.index(tag), i] = 4.0
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
