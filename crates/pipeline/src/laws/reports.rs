//! The verdicts on the files of `tests/corpus/reports`, each made after the essence of public bug reports about real devices and
//! programs. A file that is taken is shown right by its field, by its variants and by a field that converts it.

use std::io::{Seek, Write};
use std::panic;

use super::{decoded, header, perform, size, survey};
use crate::candidate::Candidate;
use crate::image_header::Header;
use crate::job::{Job, Limits, Outcome};
use crate::raster::{Channels, Raster};
use crate::violation;
use crate::{Error, identify};
use samples::{self, Sample};
use words::dimensions::Dimensions;
use words::media_type::Format;
use words::rule::{Normal, Rules};
use words::variant::Variant;

/// A file's fate in an image field.
enum Verdict {
    /// Stored with one of these sizes.
    Taken(&'static [(u32, u32)]),
    /// Stored with this size and with transparent pixels.
    Transparent((u32, u32)),
    /// Shown with this size by a field that converts to PNG.
    Converted((u32, u32)),
    /// Stored with so many frames, also where it is made smaller or converted to WebP or GIF.
    Animated(u32),
    /// Refused in words that contain the first text and not the second.
    Refused(&'static str, &'static str),
}

use Verdict::{Animated, Converted, Refused, Taken, Transparent};

const LYING: Verdict = Taken(&[(96, 64)]);
const STANDING: Verdict = Taken(&[(64, 96)]);

const VERDICTS: [(&str, Verdict); 42] = [
    ("a_alpha_of_each_tile.avif", Transparent((128, 64))),
    ("a_clap.avif", Taken(&[(80, 60)])),
    ("a_meta_to_the_end.avif", Taken(&[(64, 64)])),
    ("a_seq_no_meta.avif", Refused("animated", "cut short")),
    ("g_canvas0.gif", LYING),
    ("g_canvas_small.gif", LYING),
    ("g_no_trailer.gif", Animated(3)),
    ("g_zero_between.gif", Animated(3)),
    ("j_arith.jpg", LYING),
    ("j_cmyk_noadobe.jpg", LYING),
    ("j_exif6_between_scans.jpg", LYING),
    ("j_extra29_before_eoi.jpg", LYING),
    ("j_extra_before_rst.jpg", LYING),
    ("j_ff00_header.jpg", LYING),
    ("j_icc_dup.jpg", LYING),
    ("j_icc_missing_part.jpg", LYING),
    ("j_junk_between.jpg", LYING),
    ("j_lossless.jpg", LYING),
    ("j_no_eoi_seft.jpg", LYING),
    ("j_orient6_byte_le.jpg", STANDING),
    ("j_orient6_long_le.jpg", STANDING),
    ("j_sos_se0.jpg", LYING),
    ("p_apng.png", Animated(3)),
    ("p_badadler.png", Refused("", "cut short")),
    ("p_badcrc_itxt_after.png", LYING),
    ("p_badcrc_text.png", LYING),
    ("p_cicp_p3.png", LYING),
    ("p_exif6_after_idat.png", STANDING),
    ("p_gama_linear.png", LYING),
    ("t_assoc.tif", Converted((96, 64))),
    ("t_dng.dng", Refused("RAW", "cut short")),
    ("t_fillorder2_g4.tif", Converted((300, 200))),
    ("t_fillorder2_raw.tif", Converted((96, 64))),
    ("t_gray16_icc_gray.tif", Converted((96, 64))),
    ("t_group3.tif", Converted((300, 200))),
    ("t_jpegycc.tif", Converted((96, 64))),
    ("t_la.tif", Converted((96, 64))),
    ("t_multi.tif", Refused("pages", "cut short")),
    ("t_pal.tif", Converted((96, 64))),
    ("t_tiled_planar_edge.tif", Converted((70, 50))),
    ("t_unsorted.tif", Converted((96, 64))),
    ("w_exif6_noflag.webp", LYING),
];

/// A stored file.
struct Stored {
    format: Format,
    bytes: Vec<u8>,
}

/// Sends a file to a field. Returns what is stored, or the words of the refusal.
fn send(bytes: &[u8], rules: &Rules) -> Result<Stored, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let told = |error| match error {
        Error::Refused(violation) => format!("{}; {}", violation.fact, violation.hint),
        other => other.to_string(),
    };
    let candidate = Candidate::identify(file, bytes.len() as u64, None).map_err(told)?;
    let media_type = candidate.admit(rules).map_err(told)?.content().media_type.clone();
    let format = media_type.format().unwrap();
    let job = Job::Refine { format, normal: rules.normal.clone(), limits: Limits::default() };
    match perform(&job, bytes) {
        (Outcome::Untouched { .. }, _) => Ok(Stored { format, bytes: bytes.to_vec() }),
        (Outcome::Written { format, .. }, bytes) => Ok(Stored { format, bytes }),
        (Outcome::Fault(fault), _) => Err(told(violation::of_fault(&fault))),
    }
}

fn rules(normal: Normal) -> Rules {
    Rules { normal, ..Rules::image() }
}

fn to_png() -> Rules {
    rules(Normal { format: Some(Format::Png), ..Normal::default() })
}

/// The variant of a stored file in its whole size, as a PNG.
fn shown(stored: &Stored) -> Result<Raster, String> {
    let variant = Variant::parse("full.png").unwrap();
    let format = stored.format;
    let job = Job::Render { format, variant, quality: None, limits: Limits::default() };
    match perform(&job, &stored.bytes) {
        (Outcome::Written { .. }, png) => Ok(decoded(Format::Png, &png)),
        (other, _) => Err(format!("{other:?}")),
    }
}

fn measured(bytes: &[u8]) -> Option<Dimensions> {
    header(&bytes[..bytes.len().min(identify::IDENTIFY_MAX)]).dimensions()
}

fn sized((width, height): (u32, u32)) -> Dimensions {
    size(width, height)
}

/// The size with which the file is stored, shown and converted, and by which it is judged.
fn taken(bytes: &[u8]) -> Result<(Dimensions, Raster), String> {
    let stored = send(bytes, &Rules::image())?;
    let Header::Image { dimensions, .. } = header(&stored.bytes) else {
        return Err("a stored file without a size".into());
    };
    let again = send(&stored.bytes, &Rules::image())?;
    if again.bytes != stored.bytes {
        return Err("a stored file changes when it is sent again".into());
    }
    let raster = shown(&stored)?;
    let png = send(bytes, &to_png())?;
    if raster.size() != dimensions || measured(&png.bytes) != Some(dimensions) {
        return Err(format!("stored as {dimensions}, shown as {}", raster.size()));
    }
    let narrow = Rules { max_width: Some(dimensions.width), ..Rules::image() };
    send(bytes, &narrow)?;
    let wide = Rules { min_width: Some(dimensions.width + 1), ..Rules::image() };
    match send(bytes, &wide) {
        Ok(_) => Err("judged by another size than is stored".into()),
        Err(_) => Ok((dimensions, raster)),
    }
}

/// Whether the verdict on the file is kept; if not, what happens instead.
fn kept(bytes: &[u8], verdict: &Verdict) -> Result<(), String> {
    match *verdict {
        Taken(sizes) => {
            let (found, _) = taken(bytes)?;
            let wanted = sizes.iter().any(|wanted| sized(*wanted) == found);
            wanted.then_some(()).ok_or_else(|| format!("stored as {found}"))
        }
        Transparent(wanted) => {
            let (found, raster) = taken(bytes)?;
            let holes = raster.channels() == Channels::Rgba
                && raster.pixels().iter().skip(3).step_by(4).any(|alpha| *alpha < 255);
            let right = found == sized(wanted) && holes;
            right.then_some(()).ok_or_else(|| format!("stored as {found}, transparent: {holes}"))
        }
        Converted(wanted) => {
            let raster = shown(&send(bytes, &to_png())?)?;
            let right = raster.size() == sized(wanted);
            right.then_some(()).ok_or_else(|| format!("shown as {}", raster.size()))
        }
        Animated(wanted) => {
            let fit = Normal { fit: Some(size(20, 20)), ..Normal::default() };
            let to = |format| Normal { format: Some(format), ..Normal::default() };
            let normals = [Normal::default(), fit, to(Format::Webp), to(Format::Gif)];
            for normal in normals {
                let stored = send(bytes, &rules(normal))?;
                let frames = survey(stored.format, &stored.bytes).frames;
                if frames != wanted {
                    return Err(format!("{frames} frames as {}", stored.format.name()));
                }
            }
            taken(bytes).map(|_| ())
        }
        Refused(wanted, other) => match send(bytes, &to_png()) {
            Ok(_) => Err("taken".into()),
            Err(words) if words.contains(wanted) && !words.contains(other) => Ok(()),
            Err(words) => Err(words),
        },
    }
}

#[test]
fn every_report_has_its_verdict() {
    let mut wrong = Vec::new();
    let reports = samples::all("reports");
    let listed: Vec<_> = VERDICTS.iter().map(|(name, _)| *name).collect();
    let found: Vec<_> = reports.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(found, listed);
    for (Sample { name, bytes }, (_, verdict)) in reports.iter().zip(&VERDICTS) {
        let kept = panic::catch_unwind(|| kept(bytes, verdict));
        match kept.unwrap_or_else(|_| Err("a panic".into())) {
            Ok(()) => {}
            Err(words) => wrong.push(format!("{name}: {words}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
