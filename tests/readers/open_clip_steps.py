"""Four training steps by open_clip's own data loader: `open_clip_steps.py SHARD[::SHARD...] NUM_SAMPLES`; prints JSON.

In a process of its own, because open_clip's training asks for a webdataset below the other readers'.
"""

import json
import sys

import torch
from open_clip import ClipLoss, SimpleTokenizer, image_transform
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip_train.data import get_wds_dataset
from open_clip_train.params import parse_args

STEPS = 4


def main(shards: str, num_samples: str) -> None:
    words = ["--train-data", shards, "--train-num-samples", num_samples, "--batch-size", "4", "--workers", "0"]
    arguments = parse_args([*words, "--dataset-type", "webdataset", "--seed", "0"])
    arguments.world_size, arguments.rank = 1, 0
    texts: list[str] = []
    tokenizer = SimpleTokenizer(context_length=32)

    def tokenize(text: str) -> torch.Tensor:
        texts.append(text)
        return tokenizer(text)

    data = get_wds_dataset(arguments, image_transform(32, is_train=True), is_train=True, tokenizer=tokenize)
    torch.manual_seed(0)
    model = CLIP(
        embed_dim=32,
        vision_cfg=CLIPVisionCfg(layers=1, width=32, head_width=16, patch_size=16, image_size=32),
        text_cfg=CLIPTextCfg(context_length=32, width=32, heads=2, layers=1),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for images, tokens in data.dataloader:
        image_features, text_features, scale = model(images, tokens)[:3]
        loss = ClipLoss()(image_features, text_features, scale)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if len(losses) == STEPS:
            break
    print(json.dumps({"losses": losses, "texts": texts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
