//! The plan of the house (docs/ARCHITECTURE.md): the order of rooms and parts, the doors of outside crates, and shared file names.

use super::source::Floor;

/// Rooms by floor, bottom up. Below them are the words: `crates/words`, and the files in `src` itself.
const FLOORS: [&[&str]; 5] = [
    &["blob", "catalog", "pipeline", "fetch"],
    &["library"],
    &["tree"],
    &["fuse", "http", "config"],
    &["cli"],
];

/// The rooms that a room may name although they lie deeper than the floor below it.
const DEEPER: [(&str, &[&str]); 2] = [
    // Commands stand between people and everything.
    ("cli", &["tree", "library", "blob", "catalog", "pipeline", "fetch"]),
    // A page asks for the same permission as the mount does, which the library gives.
    ("http", &["library"]),
];

/// A room and its parts, bottom up: its folders and files. `error` is below them all.
pub type Parts = (&'static str, &'static [&'static str]);

/// The rooms whose parts stand in an order.
#[rustfmt::skip]
pub const PARTS: [Parts; 3] = [
    ("pipeline", &[
        "job", "exif", "raster", "planes", "step", "format", "transcode", "refine", "worker", "identify",
        "image_header", "violation", "policy", "running_digest", "candidate", "mod",
    ]),
    ("library", &[
        "home", "counts", "lookup", "limit", "scratch", "refuse", "keep", "blob_files", "publish",
        "names", "draft", "read", "json", "arrive", "mod",
    ]),
    ("tree", &[
        "bounded", "activity", "node", "request", "kernel", "show", "open", "view", "ops", "mod",
    ]),
];

/// Outside crates, and where in the house they may be named.
pub const DOORS: [(&str, &str); 28] = [
    ("clap", "cli/"),
    ("fast_image_resize", "pipeline/"),
    ("fax", "pipeline/"),
    ("file_format", "pipeline/"),
    ("flate2", "pipeline/"),
    ("fuser", "fuse/"),
    ("gif", "pipeline/"),
    ("image", "pipeline/"),
    ("image_webp", "pipeline/"),
    ("imagesize", "pipeline/"),
    ("libwebp_sys", "pipeline/"),
    ("moxcms", "pipeline/"),
    ("png", "pipeline/"),
    ("quick_cache", "library/read/open_files.rs"),
    ("rav1d", "pipeline/"),
    ("ravif", "pipeline/"),
    ("rusqlite", "catalog/sqlite"),
    ("rustls", "fetch/"),
    ("ruzstd", "pipeline/"),
    ("sd_notify", "cli/"),
    ("signal_hook", "cli/"),
    ("toml", "config/"),
    ("tracing_subscriber", "cli/"),
    ("turbojpeg", "pipeline/"),
    ("unicode_normalization", "words/normal_form.rs"),
    ("ureq", "fetch/"),
    ("url", "words/locator.rs"),
    ("weezl", "pipeline/"),
];

pub fn floor(room: &str) -> Option<Floor> {
    if room == "words" {
        return Some(Floor::Words);
    }
    let at = FLOORS.iter().position(|rooms| rooms.contains(&room))?;
    Some(Floor::Room(at + 1))
}

/// File names that stand in several rooms, each with the reason.
const SHARED: [(&str, &str); 5] = [
    ("error", "a room has its own"),
    ("memory", "each trait has an implementation in memory, for tests"),
    ("rows", "the catalogue's records, and the library's part that works on them"),
    ("scratch", "the catalogue's records, and the library's part that works on them"),
    ("trash", "the catalogue's records, and the library's part that works on them"),
];

/// Folders in which files share a name because they are parts of one thing.
const FAMILIES: [&str; 2] = [
    // Each noun has a trait, and a file in each engine.
    "catalog/",
    // Each format has a container, a decoder and an encoder.
    "pipeline/format/",
];

/// Folders whose files have names of another list: the commands, the operations of FUSE, the rows of the bench.
const NAMED_ELSEWHERE: [&str; 3] = ["cli/command/", "tree/ops/", "benches/compare/workload/"];

pub fn is_shared(name: &str) -> bool {
    SHARED.iter().any(|(shared, _)| *shared == name)
}

pub fn is_named_elsewhere(place: &str) -> bool {
    NAMED_ELSEWHERE.iter().any(|folder| place.starts_with(folder))
}

/// The folder in which a file may share its name.
pub fn family(place: &str) -> Option<&'static str> {
    FAMILIES.into_iter().find(|family| place.starts_with(family))
}

pub fn may_name(room: &str, named: &str) -> bool {
    DEEPER.iter().any(|(from, rooms)| *from == room && rooms.contains(&named))
}

/// How high a part stands in its room.
pub fn height(parts: &[&str], part: &str) -> Option<usize> {
    if part == "error" {
        return Some(0);
    }
    parts.iter().position(|name| *name == part).map(|at| at + 1)
}
