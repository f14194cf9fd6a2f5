"""Judges the pictures of public test suites, file by file, as Pillow and libvips do. `scripts/suites` runs it.

Each picture goes through `mediafs try` twice: into a field that keeps its format, and into one that converts to PNG. Pillow and
libvips read the original; Pillow also reads what would be stored. Prints a table for each suite, and every disagreement that
tests/suites/reasons.tsv does not argue. Exits with 1 if there is one, or if a reason there applies to no file any more.
"""

import fnmatch
import io
import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy
import pyvips
from PIL import Image, ImageCms, ImageFile, ImageOps

EXTENSIONS = {"png", "jpg", "jpeg", "jpe", "jfif", "tif", "tiff", "gif", "webp", "avif", "bmp", "dib", "apng"}
# Pillow's names of the formats that an image field takes.
FORMATS = {"PNG", "JPEG", "TIFF", "GIF", "WEBP", "AVIF", "BMP", "DIB", "MPO"}
# Formats that a field converts, and does not keep.
ONLY_READ = ("image/tiff", "image/bmp")
# Two decoders of one JPEG differ by their rounding, upsampling and colour conversion.
CLOSE_DB = 30.0
# The limits of an image field. What is larger is refused by it, and unpacked by nobody.
MAX_PIXELS = 100_000_000
MAX_MEMORY = 6 << 30
CONFIGURATION = """
[library]
path = "library"
[tables.suite]
id = "integer"
[tables.suite.fields.kept]
type = "image"
orient = true
[tables.suite.fields.png]
type = "image"
format = "png"
"""


def unpacked(archives, folder):
    """Yields (suite, name, path) of every picture in the archives, unpacked."""
    for archive in sorted(archives.iterdir()):
        if not tarfile.is_tarfile(archive):
            continue
        suite = re.split(r"[_-]\d", archive.name)[0]
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name.partition("/")[2]
                if member.isfile() and name.rpartition(".")[2].lower() in EXTENSIONS and 0 < member.size < 32 << 20:
                    path = folder / suite / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(tar.extractfile(member).read())
                    yield suite, name, path


def judged(mediafs, field, numbered, folder):
    """The verdict of `mediafs try` for each number, and a folder with what would be stored."""
    into = folder / field
    into.mkdir()
    verdicts = {}
    batch = 100
    paths = list(numbered.values())
    for at in range(0, len(paths), batch):
        command = [mediafs, "--config", "suites.toml", "try", "--field", f"suite.{field}", "--into", into, *paths[at : at + batch]]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        for line in done.stdout.splitlines():
            path, _, verdict = line.partition(": ")
            verdicts[int(Path(path).stem)] = verdict
    return verdicts, {int(path.stem): path for path in into.iterdir()}


def to_srgb(image):
    """An upright first frame in sRGB with alpha, as an array of rows."""
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    has_alpha = image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        # Pillow clips what is more than 8 bits.
        values = numpy.asarray(image).astype("float64")
        image = Image.fromarray((values / (257 if values.max() > 255 else 1)).clip(0, 255).astype("uint8"))
    alpha = image.convert("RGBA").getchannel("A") if has_alpha else None
    if profile:
        mode = image.mode if image.mode in ("L", "CMYK", "RGB") else "RGB"
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = ImageCms.profileToProfile(image.convert(mode), source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except ImageCms.PyCMSError:
            pass
    image = image.convert("RGBA")
    if alpha:
        image.putalpha(alpha)
    return numpy.asarray(image)


def by_pillow(path):
    """(pixels, None), or (None, why Pillow cannot read the file). None for a format that an image field does not take."""
    try:
        with Image.open(path) as image:
            if image.format not in FORMATS:
                return None
            for frame in range(1, getattr(image, "n_frames", 1)):
                image.seek(frame)
                image.load()
            image.seek(0)
            return to_srgb(image), None
    except Image.UnidentifiedImageError:
        return None, "not identified"
    except Exception as error:  # Pillow raises whatever its decoders meet.
        return None, f"{type(error).__name__}: {error}"


def by_vips(path):
    """(pixels, None), or (None, why libvips cannot read the file)."""
    try:
        image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="error")
        if image.width * image.height > MAX_PIXELS:
            return None, "too many pixels"
        image = image.autorot()
        if image.get_typeof("icc-profile-data"):
            image = image.icc_transform("srgb", embedded=True)
        elif image.interpretation != "srgb":
            image = image.colourspace("srgb")
        if image.format != "uchar":
            image = image.cast("uchar")
        if image.bands == 3:
            image = image.addalpha()
        return image.numpy(), None
    except Exception as error:
        return None, str(error).strip().splitlines()[-1]


def distance(one, other):
    """The peak signal-to-noise ratio in dB over a checked background, or None where the sizes differ."""
    if one is None or other is None or one.shape != other.shape:
        return None
    one, other = (over_grey(pixels) for pixels in (one, other))
    error = float(((one - other) ** 2).mean())
    return 99.0 if error == 0 else 10 * numpy.log10(255**2 / error)


def over_grey(pixels):
    values = pixels.astype("float64")
    alpha = values[..., 3:] / 255
    return numpy.concatenate([values[..., :3] * alpha + 128 * (1 - alpha), values[..., 3:]], axis=2)


def compared(verdicts, stored, number, path):
    """(kind, detail) of a disagreement, or None. Kinds: refused, taken, differs, kept."""
    pillow = by_pillow(path)
    if pillow is None:
        return "other format"
    pixels, trouble = pillow
    verdict = verdicts["png"][number]
    if verdict.startswith("refused: "):
        return None if pixels is None else ("refused", verdict)
    if pixels is None:
        seen, _ = by_vips(path)
        return ("taken", f"{verdict}; Pillow: {trouble}; libvips {'reads it' if seen is not None else 'refuses it'}")
    ours, broken = by_pillow(stored["png"][number])
    if broken:
        return "differs", f"{verdict}; what is stored: {broken}"
    near = distance(ours, pixels)
    if near is None or near < CLOSE_DB:
        seen, _ = by_vips(path)
        vips = distance(ours, seen)
        if vips is None or vips < CLOSE_DB:
            sizes = [None if it is None else it.shape[1::-1] for it in (ours, pixels, seen)]
            return "differs", f"{verdict}; dB to Pillow {said(near)}, to libvips {said(vips)}; sizes {sizes}"
    kept = verdicts["kept"][number]
    if verdict.startswith(ONLY_READ):
        return None
    if kept.startswith("refused: "):
        return "kept", f"converted but not kept: {kept}"
    held, broken = by_pillow(stored["kept"][number])
    near = distance(held, pixels)
    if broken or near is None or near < CLOSE_DB:
        if distance(held, ours) is None or distance(held, ours) < CLOSE_DB:
            return "kept", f"{kept}; what is stored: {broken or said(near)}"
    return None


def said(decibels):
    return "-" if decibels is None else f"{decibels:.0f}"


def reasons(path):
    """(pattern of suite/name, kind, reason), in the order of the file."""
    lines = path.read_text().splitlines()
    return [tuple(line.split("\t", 2)) for line in lines if line and not line.startswith("#")]


def main(archives, mediafs, work):
    warnings.simplefilter("ignore")
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow raises above the double.
    shutil.rmtree(work, ignore_errors=True)
    flat = work / "flat"
    flat.mkdir(parents=True)
    (work / "suites.toml").write_text(CONFIGURATION)
    files, numbered = {}, {}
    for number, (suite, name, path) in enumerate(unpacked(archives, work / "files")):
        files[number] = suite, name, path
        numbered[number] = flat / f"{number}{path.suffix.lower()}"
        os.link(path, numbered[number])
    verdicts, stored = {}, {}
    for field in ("png", "kept"):
        verdicts[field], stored[field] = judged(mediafs, field, numbered, work)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    argued, used = reasons(Path("tests/suites/reasons.tsv")), set()
    table, open_ones = defaultdict(Counter), []
    for number, (suite, name, path) in files.items():
        found = compared(verdicts, stored, number, path)
        if found == "other format":
            continue
        table[suite]["files"] += 1
        if found is None:
            table[suite]["agree"] += 1
            continue
        kind, detail = found
        table[suite][kind] += 1
        at = f"{suite}/{name}"
        reason = next((it for it in argued if it[1] == kind and fnmatch.fnmatchcase(at, it[0])), None)
        if reason:
            used.add(reason)
        else:
            open_ones.append(f"{at}\t{kind}\t{detail}")
    columns = ["files", "agree", "refused", "taken", "differs", "kept"]
    print("| suite | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for suite, counts in sorted(table.items()):
        print(f"| {suite} | " + " | ".join(str(counts[column]) for column in columns) + " |")
    total = sum(table.values(), Counter())
    print("| all | " + " | ".join(str(total[column]) for column in columns) + " |")
    for line in open_ones:
        print(line)
    idle = [reason for reason in argued if reason not in used]
    for pattern, kind, _ in idle:
        print(f"a reason that applies to no file: {pattern} {kind}")
    print(f"{len(open_ones)} disagreements are not argued")
    return 1 if open_ones or idle else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]).absolute(), Path(sys.argv[3]).absolute()))
