//! `mediafs try`: runs the pipeline over files as a close would, and prints the verdicts. Needs neither mount nor library.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::cli::error::Error;
use crate::cli::print::{complain, say};
use crate::cli::workers;
use crate::config::Config;
use pipeline::candidate::Candidate;
use pipeline::{self, Pipeline};
use words::attachment::Content;
use words::byte_count::ByteCount;
use words::refusal::Violation;
use words::schema::{Field, Schema};

/// Say what would become of files, without a mount
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs try --field user.avatar photo.jpg
  mediafs --config new.toml try --field page.cover covers/*      would a stricter rule lose some?
  mediafs try --field user.avatar --into /tmp photo.tif          look at what would be stored

One line a file; the exit code is 1 if one of them would be refused.")]
pub struct Try {
    /// The field they would be written to
    #[arg(long, value_name = "TABLE.FIELD")]
    field: String,

    /// Write what would be stored into this directory, under its stored extension
    #[arg(long, value_name = "DIRECTORY")]
    into: Option<PathBuf>,

    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The pipeline's verdict on one file.
#[derive(Debug)]
enum Verdict {
    /// It would be stored bit for bit.
    Untouched(Content),
    /// It would be stored normalised.
    Normalised {
        from: Content,
        to: Content,
    },
    Refused(Violation),
}

impl Try {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let field = find(&self.field, &config.schema)?;
        let pipeline = workers::pipeline()?;
        let mut refused = 0;
        for path in &self.files {
            match self.judge(&pipeline, field, path) {
                Ok(verdict) => {
                    refused += usize::from(matches!(verdict, Verdict::Refused(_)));
                    say(format_args!("{}: {}", path.display(), describe(field, &verdict)))?;
                }
                // A file that cannot be read does not end the run.
                Err(error) => {
                    refused += 1;
                    complain(&error);
                }
            }
        }
        if refused == 0 {
            return Ok(());
        }
        Err(Error::Refused(format!("{refused} of {} would not be taken", self.files.len())))
    }

    fn judge(&self, pipeline: &Pipeline, field: &Field, path: &Path) -> Result<Verdict, Error> {
        let failed = |source| Error::File { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(Error::Usage(format!("{} is not a file", path.display())));
        }
        let extension = path.extension().and_then(OsStr::to_str);
        let candidate = Candidate::identify(file, meta.len(), extension);
        // The result is measured, and dropped unless it is asked for.
        let stored = File::from(
            memfd_create("mediafs-try", MemfdFlags::CLOEXEC)
                .map_err(io::Error::from)
                .map_err(failed)?,
        );
        let verdict =
            match candidate.and_then(|candidate| refine(pipeline, field, candidate, &stored)) {
                Err(pipeline::Error::Refused(violation)) => return Ok(Verdict::Refused(violation)),
                verdict => verdict?,
            };
        if let Some(into) = &self.into {
            keep(into, path, &verdict, stored)?;
        }
        Ok(verdict)
    }
}

/// Writes what would be stored of a file into a directory. Errors: there is a file of that name.
fn keep(into: &Path, path: &Path, verdict: &Verdict, mut stored: File) -> Result<(), Error> {
    let (Verdict::Untouched(content) | Verdict::Normalised { to: content, .. }) = verdict else {
        return Ok(());
    };
    let mut to = into.join(path.file_name().unwrap_or_default());
    if let Some(extension) = content.media_type.extension() {
        to.set_extension(extension);
    }
    let mut written = || {
        let mut out = File::create_new(&to)?;
        match verdict {
            Verdict::Normalised { .. } => {
                stored.rewind()?;
                io::copy(&mut stored, &mut out)
            }
            _ => io::copy(&mut File::open(path)?, &mut out),
        }
    };
    written().map(drop).map_err(|source| Error::File { action: "write", path: to.clone(), source })
}

/// Finds `user.avatar`.
fn find<'s>(written: &str, schema: &'s Schema) -> Result<&'s Field, Error> {
    let usage = |reason: &str| Error::Usage(format!("--field {written}: {reason}"));
    let (table, field) = written
        .split_once('.')
        .ok_or_else(|| usage("a field is written as TABLE.FIELD, such as user.avatar"))?;
    let table =
        schema.table(table).ok_or_else(|| usage(&format!("there is no table `{table}`")))?;
    table.field(field).ok_or_else(|| usage(&format!("{} has no field `{field}`", table.name)))
}

fn refine(
    pipeline: &Pipeline,
    field: &Field,
    candidate: Candidate,
    stored: &File,
) -> Result<Verdict, pipeline::Error> {
    let admitted = candidate.admit(&field.rules)?;
    let from = admitted.content().clone();
    let refined = pipeline.refine(admitted, &field.rules, || stored.try_clone())?;
    let to = refined.content().clone();
    let untouched = refined.is_untouched();
    Ok(if untouched { Verdict::Untouched(to) } else { Verdict::Normalised { from, to } })
}

fn describe(field: &Field, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Untouched(content) => format!("{}, kept as it is", facts(content)),
        Verdict::Normalised { from, to } => format!("{} -> {}", facts(from), facts(to)),
        Verdict::Refused(Violation { rule, fact, allows, hint, .. }) => {
            format!("refused: {fact}; {} {allows} ({rule}); {hint}", field.name)
        }
    }
}

/// `image/jpeg 4032x3024, 3.1 MiB`.
fn facts(content: &Content) -> String {
    let size = ByteCount(content.length);
    match content.dimensions {
        Some(dimensions) => format!("{} {dimensions}, {size}", content.media_type),
        None => format!("{}, {size}", content.media_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use words::dimensions::Dimensions;
    use words::media_type::Format;

    fn schema() -> Schema {
        config::parse(config::SAMPLE, "sample").expect("the sample").schema
    }

    fn jpeg(width: u32, height: u32, length: u64) -> Content {
        let dimensions = Some(Dimensions::new(width, height));
        Content { media_type: Format::Jpeg.media_type(), length, dimensions }
    }

    #[test]
    fn a_field_is_found_by_table_and_name() {
        let schema = schema();
        let told = |written| find(written, &schema).expect_err("a refusal").to_string();
        assert!(find("user.avatar", &schema).is_ok_and(|field| field.name.as_str() == "avatar"));
        assert!(told("avatar").contains("TABLE.FIELD"));
        assert!(told("users.avatar").contains("no table `users`"));
        assert!(told("user.photo").contains("no field `photo`"));
    }

    #[test]
    fn a_verdict_says_what_is_and_what_would_be() {
        let schema = schema();
        let field = find("user.avatar", &schema).expect("a field");
        let (from, to) = (jpeg(4000, 3000, 3 << 20), jpeg(1600, 1200, 300 << 10));
        assert_eq!(
            describe(field, &Verdict::Normalised { from, to: to.clone() }),
            "image/jpeg 4000x3000, 3 MiB -> image/jpeg 1600x1200, 300 KiB"
        );
        assert_eq!(
            describe(field, &Verdict::Untouched(to)),
            "image/jpeg 1600x1200, 300 KiB, kept as it is"
        );
        let violation = Violation::small_image();
        assert_eq!(
            describe(field, &Verdict::Refused(violation)),
            "refused: image is 40x40; avatar takes at least 64x64 (min_width); send a larger image"
        );
    }
}
