"""all-MiniLM-L6-v2 computed by hand from the safetensors that its makers published: tokens, six layers, mean, length 1."""
import json
import math
import pathlib
import sys
import unicodedata

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "models"))
from convert_minilm import read_safetensors  # noqa: E402


def pieces(text):
    """BERT's basic tokenizer for lower-case models: words, and each mark of punctuation alone."""
    out, word = [], ""
    for c in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(c)
        if kind == "Mn":
            continue
        alone = kind.startswith("P") or (c.isascii() and not c.isalnum() and not c.isspace())
        if (alone or c.isspace()) and word:
            out.append(word)
            word = ""
        if alone:
            out.append(c)
        elif not c.isspace():
            word += c
    return out + ([word] if word else [])


class MiniLM:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.t = read_safetensors(folder / "model.safetensors")
        self.config = json.loads((folder / "config.json").read_text())
        words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        self.ids = {w: i for i, w in enumerate(words)}

    def tokens(self, text):
        out = [self.ids["[CLS]"]]
        for word in pieces(text):
            begin, found = 0, []
            while begin < len(word):
                end = next((e for e in range(len(word), begin, -1) if ("##" if begin else "") + word[begin:e] in self.ids), None)
                if end is None:
                    found = [self.ids["[UNK]"]]
                    break
                found.append(self.ids[("##" if begin else "") + word[begin:end]])
                begin = end
            out += found
        return out + [self.ids["[SEP]"]]

    def dense(self, name, x):
        return x @ self.t[name + ".weight"].T + self.t[name + ".bias"]

    def norm(self, name, x):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(var + self.config["layer_norm_eps"]) * self.t[name + ".weight"] + self.t[name + ".bias"]

    def embed(self, tokens):
        t, heads = self.t, self.config["num_attention_heads"]
        x = t["embeddings.word_embeddings.weight"][tokens] + t["embeddings.position_embeddings.weight"][:len(tokens)]
        x = self.norm("embeddings.LayerNorm", (x + t["embeddings.token_type_embeddings.weight"][0]).astype(np.float64))
        size = x.shape[1] // heads
        for layer in range(self.config["num_hidden_layers"]):
            p = f"encoder.layer.{layer}."
            q, k, v = (self.dense(p + f"attention.self.{n}", x).reshape(len(tokens), heads, size).transpose(1, 0, 2)
                       for n in ("query", "key", "value"))
            scores = q @ k.transpose(0, 2, 1) / math.sqrt(size)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            mixed = (weights @ v).transpose(1, 0, 2).reshape(len(tokens), -1)
            x = self.norm(p + "attention.output.LayerNorm", x + self.dense(p + "attention.output.dense", mixed))
            h = self.dense(p + "intermediate.dense", x)
            h = h * 0.5 * (1 + np.vectorize(math.erf)(h / math.sqrt(2)))
            x = self.norm(p + "output.LayerNorm", x + self.dense(p + "output.dense", h))
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)
