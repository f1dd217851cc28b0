"""The model: a decoder-only transformer of any size, and how to write with it."""

import math

import torch
from text import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention_in, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed_in, self.feed_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        parts = self.attention_in(self.attention_norm(x)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(rows, length, width))
        return x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))


class Gpt(nn.Module):
    """Decoder-only transformer with learned positions; the output layer shares its weights with the token embedding."""

    def __init__(self, vocabulary: int, layers: int, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                scale = 0.02 / math.sqrt(2 * layers) if name.endswith("_out.weight") else 0.02
                nn.init.normal_(parameter, std=scale)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


@torch.no_grad()
def write_sample(model: Gpt, tokenizer: Tokenizer, device: torch.device, seed: int, length: int = 300) -> str:
    chance = torch.Generator().manual_seed(seed)
    ids = tokenizer.encode(b"def ").tolist()
    for _ in range(length):
        window = torch.tensor([ids[-model.context :]], device=device)
        odds = torch.softmax(model(window)[0, -1].float().cpu() / 0.8, dim=-1)
        ids.append(int(torch.multinomial(odds, 1, generator=chance)))
    return tokenizer.decode(ids)
