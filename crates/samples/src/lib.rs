//! The sample files of the tests: those of `tests/corpus`, and generated ones that are large or damaged. The folder in
//! `MEDIAFS_CORPUS` adds its own, of any size.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus");
const MORE: &str = "MEDIAFS_CORPUS";

pub struct Sample {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A file of `tests/corpus`.
pub fn path(name: &str) -> PathBuf {
    Path::new(CORPUS).join(name)
}

/// All files of a kind, `photos` or `hostile`, by name.
pub fn all(kind: &str) -> Vec<Sample> {
    let mut found = files(&path(kind));
    if kind == "hostile" {
        let made = damaged().into_iter().chain(bombs());
        found.extend(made.map(|(name, bytes)| Sample { name: name.into(), bytes }));
    }
    if let Some(more) = std::env::var_os(MORE) {
        let folder = Path::new(&more).join(kind);
        // The test runner holds back what passing tests print through `print!`; this writes to stderr directly.
        let _ = writeln!(io::stderr(), "also over the files of {}", folder.display());
        found.extend(files(&folder));
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn files(folder: &Path) -> Vec<Sample> {
    let entries = fs::read_dir(folder).map_err(|error| (folder, error)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let found: Vec<_> = paths
        .map(|path| Sample {
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            bytes: fs::read(&path).expect("a file"),
        })
        .collect();
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}

fn photo(name: &str) -> Vec<u8> {
    fs::read(path("photos").join(name)).expect("a photo of the corpus")
}

/// Good photos that are cut short, changed, or followed by other bytes.
fn damaged() -> [(&'static str, Vec<u8>); 8] {
    let (jpeg, webp, avif) = (photo("camera.jpg"), photo("still.webp"), photo("still.avif"));
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let scan = jpeg.len() / 2;
    let noise: Vec<u8> = jpeg[scan..scan + 400].iter().map(|byte| !byte).collect();
    let zip = [b"PK\x03\x04", &[b'A'; 5000][..]].concat();
    // The frame's height after its length and precision; the extent's width after its version.
    let (frame, extent) = (find(&jpeg, b"\xFF\xC0\0\x11") + 5, find(&avif, b"ispe") + 8);
    [
        ("trunc_half.jpg", half(&jpeg)),
        ("trunc_head.jpg", jpeg[..600].to_vec()),
        ("corrupt_mid.jpg", with(&jpeg, scan, &noise)),
        ("dims_65500.jpg", with(&jpeg, frame, &[65_500_u16.to_be_bytes(); 2].concat())),
        ("trail_zip.jpg", [jpeg.as_slice(), &zip].concat()),
        ("trunc.webp", half(&webp)),
        ("trunc.avif", half(&avif)),
        ("ispe_60k.avif", with(&avif, extent, &[60_000_u32.to_be_bytes(); 2].concat())),
    ]
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).expect("it is in there")
}

fn with(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    [&bytes[..at], part, &bytes[at + part.len()..]].concat()
}

/// Small files that decode to large pictures.
fn bombs() -> [(&'static str, Vec<u8>); 5] {
    [
        ("bomb_20k_rgb.png", black(20_000, 60_000, png::ColorType::Rgb, png::BitDepth::Eight)),
        ("bomb_50k_gray1.png", black(50_000, 6_250, png::ColorType::Grayscale, png::BitDepth::One)),
        ("ztxt_bomb.png", wordy()),
        ("frames_100k.gif", frames(1, 100_000)),
        ("canvas_20k_x500.gif", frames(20_000, 500)),
    ]
}

/// A black square with `row` bytes in each row.
fn black(side: u32, row: usize, colour: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_filter(png::Filter::NoFilter);
    let mut header = encoder.write_header().expect("a header");
    let mut pixels = header.stream_writer().expect("a writer");
    for _ in 0..side {
        pixels.write_all(&vec![0; row]).expect("a row");
    }
    pixels.finish().expect("an end");
    drop(header);
    bytes
}

/// A picture of a few pixels with a compressed text chunk of 64 MiB.
fn wordy() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.add_ztxt_chunk("k".into(), "A".repeat(64 << 20)).expect("a text");
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&[0; 64]).expect("pixels");
    writer.finish().expect("an end");
    bytes
}

/// A GIF with many frames of one pixel on a large square screen.
fn frames(side: u16, count: usize) -> Vec<u8> {
    const COLOURS: &[u8] = b"\x80\0\0\0\0\0\xFF\xFF\xFF";
    const FRAME: &[u8] = b"!\xF9\x04\0\x01\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0";
    let screen = [side.to_le_bytes(); 2].concat();
    [b"GIF89a", screen.as_slice(), COLOURS, &FRAME.repeat(count), b";"].concat()
}
