"""Every JSON that WIDS, random access to tars by index, finds: `wids_texts.py NUM_SAMPLES... SHARD...`; prints JSON."""

import json
import sys

import wids


def main(arguments: list[str]) -> None:
    half = len(arguments) // 2
    shards = [
        {"url": url, "nsamples": int(number)} for number, url in zip(arguments[:half], arguments[half:], strict=True)
    ]
    dataset = wids.ShardListDataset(shards, localname=lambda url: url)
    print(json.dumps([dataset[number][".json"] for number in reversed(range(len(dataset)))]))


if __name__ == "__main__":
    main(sys.argv[1:])
