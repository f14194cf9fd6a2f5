//! One job on one image, as a worker process does it with the descriptors that it was sent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::job::{Fault, Job, Outcome, at_most};
use crate::product::Product;
use crate::{refine, render};

/// The largest input that is read into memory, also where the rules of a field allow more.
const MAX_INPUT: u64 = 512 << 20;

/// Does one job on an image. Reads `input` from offset 0 wherever its cursor is, and writes the result to `output` from offset
/// 0, which has the length of the result afterwards. A failure is an outcome, too.
///
/// - BMP and TIFF are kept as they are unless the job names a format: they are not stripped, so that metadata in them stays.
///   One that would have to be resized or cropped without a format is `Unsupported`.
/// - An animated AVIF is `Unsupported`.
/// - A 16-bit image that is encoded again has 8 bits a channel afterwards; an APNG becomes its default image.
/// - `metadata = keep` carries EXIF over to an image that is encoded again, set upright if the pixels were turned (JPEG, PNG,
///   WebP); XMP and comments are lost. Colours are converted to sRGB and the ICC profile is dropped.
pub fn run(job: &Job, input: &File, output: &File) -> Outcome {
    match attempt(job, input, output) {
        Ok(outcome) => outcome,
        Err(fault) => Outcome::Fault(fault),
    }
}

fn attempt(job: &Job, input: &File, output: &File) -> Result<Outcome, Fault> {
    let bytes = read(input)?;
    let product = match job {
        Job::Refine { format, normal, limits } => refine::refine(*format, &bytes, normal, limits),
        Job::Render { format, variant, quality, limits } => {
            render::render(*format, &bytes, *variant, *quality, limits)
        }
    }?;
    match product {
        Product::Same(dimensions) => Ok(Outcome::Untouched { dimensions }),
        Product::New { format, dimensions, bytes } => {
            let failed = |error: io::Error| Fault::Output(error.raw_os_error().unwrap_or(0));
            output.write_all_at(&bytes, 0).map_err(failed)?;
            let length = bytes.len() as u64;
            output.set_len(length).map_err(failed)?;
            Ok(Outcome::Written { format, dimensions, length })
        }
    }
}

/// The whole input. If its length changes meanwhile, the bytes that were there when they were read count.
fn read(input: &File) -> Result<Vec<u8>, Fault> {
    let failed = |error: io::Error| Fault::Input(error.raw_os_error().unwrap_or(0));
    let length = input.metadata().map_err(failed)?.len();
    at_most("bytes of input", length, MAX_INPUT)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let mut done = 0;
    while done < bytes.len() {
        match input.read_at(&mut bytes[done..], done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}
