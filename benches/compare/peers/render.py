"""Renders pictures with pyvips: render.py TASK QUALITY < LIST. Prints the seconds of processor time for each.

TASK is `jpeg SIDE` or `webp SIDE`, which fits the picture into a box of that side by thumbnail_buffer, or
`jpeg SIDE shrink N`, which decodes at 1/N first, whatever libvips would choose. Runs with one thread and no cache of
operations, so that libvips does the least work.
"""

import os
import sys
import time

os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips  # noqa: E402

pyvips.cache_set_max(0)


def shrunk(data, side, words):
    if "shrink" not in words:
        return pyvips.Image.thumbnail_buffer(data, side, height=side, size="down")
    shrink = int(words[words.index("shrink") + 1])
    image = pyvips.Image.jpegload_buffer(data, shrink=shrink, access="sequential")
    return image.thumbnail_image(side, height=side, size="down")


def render(data, words, quality):
    image = shrunk(data, int(words[1]), words)
    if words[0] == "webp":
        return image.webpsave_buffer(Q=quality, strip=True)
    return image.jpegsave_buffer(
        Q=quality, strip=True, optimize_coding=True, subsample_mode="on"
    )


def main():
    words, quality = sys.argv[1].split(), int(sys.argv[2])
    pictures = []
    for path in sys.stdin.read().split("\n")[:-1]:
        with open(path, "rb") as file:
            pictures.append(file.read())
    render(pictures[0], words, quality)
    begun = time.process_time()
    for data in pictures:
        render(data, words, quality)
    print((time.process_time() - begun) / len(pictures))


main()
