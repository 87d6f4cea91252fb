"""`recolor-mini`: a small encoder-decoder of stock `transformers` classes.

The encoder is a BERT started from all-MiniLM-L6-v2. The decoder, a shallow BERT with cross-attention, has a
vocabulary of its own: the codec's symbols and one query a slot. It is non-autoregressive (the one-pass case
of mask-predict decoding, Ghazvininejad et al. 2019): all slots of all tools are asked at once and see each
other, so an answer costs one pass of the encoder and one of the decoder.
"""

import json
import re
import unicodedata
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import BertConfig, BertLMHeadModel, BertModel, EncoderDecoderModel, PreTrainedTokenizerFast

from app.grade.codecs import CompactCodec
from app.students.slots import answer_tokens
from app.students.store import ModelStoreError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build(encoder: Path, layers: int = 2, feed_forward: int = 768, encoder_layers: int = 0) -> EncoderDecoderModel:
    """An untrained student on the BERT in the folder `encoder`, with the vocabulary of `typed_vocabulary`.

    `encoder_layers` keeps that many of the BERT's first layers; 0 keeps all.
    Raises ModelStoreError where it has fewer, or the decoder is to have more.
    """
    bert = BertModel.from_pretrained(encoder, add_pooling_layer=False, attention_probs_dropout_prob=0.0)
    depth = encoder_layers or len(bert.encoder.layer)
    if not layers <= depth <= len(bert.encoder.layer):
        raise ModelStoreError(
            f"an encoder of {depth} and a decoder of {layers} layers cannot be made from a BERT of "
            f"{len(bert.encoder.layer)}; the decoder starts from the encoder's last layers"
        )
    bert.encoder.layer = bert.encoder.layer[:depth]
    bert.config.num_hidden_layers = depth
    kept = list(typed_vocabulary(encoder).values())
    words = bert.embeddings.word_embeddings.weight.detach()[kept]
    bert.embeddings.word_embeddings = torch.nn.Embedding(len(kept), bert.config.hidden_size, padding_idx=0)
    bert.config.vocab_size = len(kept)
    config = BertConfig(
        vocab_size=len(answer_tokens(CompactCodec())),
        hidden_size=bert.config.hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=bert.config.num_attention_heads,
        attention_probs_dropout_prob=0.0,
        intermediate_size=feed_forward,
        max_position_embeddings=64,
        type_vocab_size=1,
        is_decoder=True,
        add_cross_attention=True,
        pad_token_id=0,
        use_cache=False,
    )
    model = EncoderDecoderModel(encoder=bert, decoder=BertLMHeadModel(config))
    # Only now: the model draws at random every weight that was not loaded, the shortened vocabulary among them.
    model.encoder.embeddings.word_embeddings.weight.data.copy_(words)
    _start_decoder(model, encoder)
    model.config.pad_token_id = 0
    model.config.decoder_start_token_id = 0
    return model


def typed_vocabulary(encoder: Path) -> dict[str, int]:
    """The tokens of a BERT vocabulary that people type on a Latin keyboard, with their old ids, in order."""
    old = json.loads((encoder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    ordered = sorted(old, key=old.__getitem__)
    kept = [token for token in ordered if token in SPECIAL or (not token.startswith("[unused") and _typed(token))]
    return {token: old[token] for token in kept}


def intent_tokenizer(encoder: Path) -> PreTrainedTokenizerFast:
    """The encoder's own tokenizer over `typed_vocabulary`; words of other scripts become ``[UNK]``."""
    spec = json.loads((encoder / "tokenizer.json").read_text(encoding="utf-8"))
    spec["model"]["vocab"] = {token: index for index, token in enumerate(typed_vocabulary(encoder))}
    for token in spec["added_tokens"]:
        token["id"] = spec["model"]["vocab"][token["content"]]
    _renumber_special(spec["post_processor"], spec["model"]["vocab"])
    spec["truncation"] = spec["padding"] = None
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=128,
    )


def answer_tokenizer() -> PreTrainedTokenizerFast:
    """One token a symbol of the compact codec, and the slot queries."""
    vocabulary = {token: index for index, token in enumerate(answer_tokens(CompactCodec()))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"<[^<>]+>"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


@torch.no_grad()
def _start_decoder(model: EncoderDecoderModel, encoder: Path) -> None:
    """Start the decoder's attention from the encoder's last layers, and each query from its name's words.

    What is then left to learn is how to read the encoder, not how to attend: it converges in fewer epochs.
    """
    depth = len(model.decoder.bert.encoder.layer)
    for layer, source in zip(model.decoder.bert.encoder.layer, model.encoder.encoder.layer[-depth:], strict=True):
        layer.attention.load_state_dict(source.attention.state_dict())
        layer.crossattention.load_state_dict(source.attention.state_dict())
    words, tokenizer = model.encoder.embeddings.word_embeddings, intent_tokenizer(encoder)
    for index, token in enumerate(answer_tokens(CompactCodec())):
        if token.startswith("<?"):
            name = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z]+", " ", token)
            model.decoder.bert.embeddings.word_embeddings.weight[index] = words.weight[
                tokenizer(name, add_special_tokens=False)["input_ids"]
            ].mean(0)


def _typed(token: str) -> bool:
    return all(ord(char) < 0x250 or not unicodedata.category(char).startswith("L") for char in token)


def _renumber_special(node: object, vocabulary: dict[str, int]) -> None:
    """Replace the ids that the post-processor writes for [CLS] and [SEP]."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "special_tokens":
                for token in value.values():
                    token["ids"] = [vocabulary[content] for content in token["tokens"]]
            elif name in ("sep", "cls") and isinstance(value, list):
                value[1] = vocabulary[value[0]]
            else:
                _renumber_special(value, vocabulary)
    elif isinstance(node, list):
        for child in node:
            _renumber_special(child, vocabulary)
