//! Tests over real and hostile files that lie beside the crate.
//! Does not run without them, except where CI is set: there their absence is a failure.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use crate::dimensions::Dimensions;
use crate::media_type::{Format, MediaType};
use crate::pipeline::job::{Fault, Job, Limits, Outcome};
use crate::pipeline::work::run;
use crate::rule::{Metadata, Normal};
use crate::variant::Variant;

fn folder(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "the corpus is missing: {}", path.display());
    // A test that cannot run says so aloud.
    #[allow(clippy::print_stderr)]
    {
        eprintln!("skipped: there is no corpus at {}", path.display());
    }
    None
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = folder(name).map(|path| path.read_dir().unwrap());
    let mut files: Vec<_> = entries.into_iter().flatten().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn format(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?;
    MediaType::of_extension(extension)?.format()
}

fn refine(path: &Path, format: Format, normal: &Normal) -> (Outcome, Vec<u8>) {
    let limits = Limits::default();
    perform(&Job::Refine { format, normal: normal.clone(), limits }, &File::open(path).unwrap())
}

fn perform(job: &Job, input: &File) -> (Outcome, Vec<u8>) {
    let mut output = tempfile::tempfile().unwrap();
    let outcome = run(job, input, &output);
    let mut bytes = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut bytes).unwrap();
    (outcome, bytes)
}

fn again(bytes: &[u8], job: &Job) -> (Outcome, Vec<u8>) {
    let input = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&input, bytes, 0).unwrap();
    perform(job, &input)
}

#[test]
fn every_readable_photo_has_a_normal_form_that_is_its_own() {
    let normal = Normal::default();
    for path in files("photos") {
        let Some(format) = format(&path) else {
            continue;
        };
        let (outcome, bytes) = refine(&path, format, &normal);
        let job = Job::Refine { format, normal: normal.clone(), limits: Limits::default() };
        match outcome {
            Outcome::Untouched { .. } => assert!(bytes.is_empty(), "{}", name(&path)),
            Outcome::Written { dimensions, length, .. } => {
                assert_eq!(length, bytes.len() as u64);
                let (outcome, _) = again(&bytes, &job);
                assert_eq!(outcome, Outcome::Untouched { dimensions }, "{}", name(&path));
            }
            Outcome::Fault(fault) => panic!("{}: {fault:?}", name(&path)),
        }
    }
}

#[test]
fn every_readable_photo_becomes_every_writable_format() {
    for path in files("photos") {
        let Some(format) = format(&path) else {
            continue;
        };
        for extension in ["jpg", "png", "gif", "webp", "avif"] {
            let variant = Variant::parse(&format!("w32.{extension}")).unwrap();
            let limits = Limits::default();
            let job = Job::Render { format, variant, quality: None, limits };
            let (outcome, bytes) = perform(&job, &File::open(&path).unwrap());
            let Outcome::Written { format, dimensions, length } = outcome else {
                panic!("{} to {extension}: {outcome:?}", name(&path));
            };
            assert_eq!((format, dimensions.width), (variant.format, 32), "{}", name(&path));
            assert_eq!(length, bytes.len() as u64);
            if let Ok(found) = imagesize::blob_size(&bytes) {
                let found = (found.width, found.height);
                let told = (dimensions.width as usize, dimensions.height as usize);
                assert_eq!(found, told, "{} to {extension}", name(&path));
            }
        }
    }
}

#[test]
fn every_hostile_file_is_a_fault_unless_it_is_a_fine_image() {
    for path in files("hostile") {
        let Some(format) = format(&path) else {
            continue;
        };
        let keep = Normal { metadata: Metadata::Keep, ..Normal::default() };
        for normal in [Normal::default(), keep] {
            let (outcome, bytes) = refine(&path, format, &normal);
            let fine = ["trail_zip.jpg", "ztxt_bomb.png"].contains(&name(&path).as_str());
            let faulty = matches!(outcome, Outcome::Fault(_));
            assert_eq!(faulty, !fine, "{}: {outcome:?}", name(&path));
            assert!(!faulty || bytes.is_empty(), "{} left bytes", name(&path));
        }
    }
}

#[test]
fn a_fault_says_what_is_wrong() {
    let Some(folder) = folder("hostile") else {
        return;
    };
    let fault = |name: &str| {
        let path = folder.join(name);
        let format = format(&path).unwrap();
        match refine(&path, format, &Normal::default()).0 {
            Outcome::Fault(fault) => fault,
            other => panic!("{name}: {other:?}"),
        }
    };
    for name in ["trunc_half.jpg", "trunc_head.jpg", "zero.jpg", "trunc.webp", "sig.png"] {
        assert!(matches!(fault(name), Fault::Truncated(_)), "{name}: {:?}", fault(name));
    }
    assert!(matches!(fault("corrupt_mid.jpg"), Fault::Corrupt(_)));
    for name in ["bomb_20k_rgb.png", "frames_100k.gif", "scan_bomb_2000.jpg", "dims_65500.jpg"] {
        assert!(matches!(fault(name), Fault::Bomb { .. }), "{name}: {:?}", fault(name));
    }
    assert!(matches!(fault("trunc.avif"), Fault::Truncated(_)), "{:?}", fault("trunc.avif"));
}

#[test]
fn what_follows_the_end_of_an_image_and_what_inflates_are_gone_when_stripped() {
    let Some(folder) = folder("hostile") else {
        return;
    };
    for (name, format) in [("trail_zip.jpg", Format::Jpeg), ("ztxt_bomb.png", Format::Png)] {
        let (outcome, bytes) = refine(&folder.join(name), format, &Normal::default());
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
        let gone = |part: &[u8]| !bytes.windows(part.len()).any(|window| window == part);
        assert!(gone(b"PK\x03\x04") && gone(b"zTXt"), "{name}");
    }
}

#[test]
fn a_photo_on_its_side_is_stored_upright() {
    let Some(folder) = folder("photos") else {
        return;
    };
    let fit = Some(Dimensions::new(1600, 1600));
    let normal = Normal { fit, ..Normal::default() };
    let (outcome, bytes) = refine(&folder.join("p12b.jpg"), Format::Jpeg, &normal);
    let Outcome::Written { format: Format::Jpeg, dimensions, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(dimensions, Dimensions::new(1200, 1600));
    let job = Job::Refine { format: Format::Jpeg, normal, limits: Limits::default() };
    assert_eq!(again(&bytes, &job).0, Outcome::Untouched { dimensions });
}
