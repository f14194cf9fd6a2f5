//! The violations of an image that cannot be decoded, or that brought its worker down. Every field refuses such an image.

use std::io;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::error::Error;
use crate::image_header::Flaw;
use crate::job::Fault;
use crate::worker::process::Failure;
use crate::worker::process_pool::Settings;
use crate::worker::serve::FILE_MAX;
use words::byte_count::ByteCount;
use words::refusal::{Rule, Violation};

/// The error of a fault that a worker reported: a violation, unless the fault is that of the input or output.
pub fn of_fault(fault: &Fault) -> Error {
    match fault {
        Fault::Input(number) => Error::Input(io::Error::from_raw_os_error(*number)),
        Fault::Output(number) => Error::Output(io::Error::from_raw_os_error(*number)),
        fault => Error::Refused(of_image(fault)),
    }
}

/// The violation of a fault of the image.
fn of_image(fault: &Fault) -> Violation {
    match fault {
        Fault::Truncated(words) => truncated(joined("image ends before it is complete", words)),
        Fault::Corrupt(words) => corrupt(joined("image cannot be decoded", words)),
        Fault::Bomb { what, measured, allowed } => bomb(
            format!("image has {measured} {what}"),
            measured.to_string(),
            format!("takes images with at most {allowed} {what}"),
            allowed.to_string(),
        ),
        Fault::Unsupported(words) => unsupported(words),
        Fault::Input(_) | Fault::Output(_) => corrupt("image cannot be read".into()),
    }
}

/// The violation of an image whose worker died, hung or answered nonsense.
pub fn of_failure(failure: &Failure, settings: &Settings) -> Violation {
    match failure {
        Failure::TimedOut => too_slow(settings),
        Failure::Died(status) => match status.signal().and_then(Signal::from_named_raw) {
            // The kernel killed the worker, or an allocation failed.
            Some(Signal::KILL | Signal::ABORT) => too_much_memory(settings),
            Some(Signal::XCPU) => too_slow(settings),
            Some(Signal::XFSZ) => too_long(),
            _ => corrupt("image makes its decoder crash".into()),
        },
        Failure::Garbage(_) | Failure::Connection(_) => {
            corrupt("image confuses its decoder".into())
        }
    }
}

/// The violation of an image whose worker reported something else than it wrote.
pub fn of_false_report() -> Violation {
    corrupt("image makes its decoder report what is not so".into())
}

/// The violation of an image whose header cannot be read.
pub fn in_header(flaw: &Flaw) -> Violation {
    match flaw {
        Flaw::Truncated => truncated("image ends within its header".into()),
        Flaw::Corrupt => corrupt("image has a damaged header".into()),
        Flaw::NoSize => corrupt("image has a header without a valid size".into()),
        Flaw::Fault(fault) => of_image(fault),
    }
}

pub fn empty() -> Violation {
    truncated("file is empty".into())
}

fn truncated(fact: String) -> Violation {
    Violation {
        rule: Rule::Truncated,
        fact,
        measured: "an incomplete image".into(),
        allows: "takes whole images".into(),
        allowed: "a whole image".into(),
        hint: "send the file again; its transfer was probably cut short".into(),
    }
}

fn corrupt(fact: String) -> Violation {
    Violation {
        rule: Rule::Corrupt,
        fact,
        measured: "a damaged image".into(),
        allows: "takes images that decode without an error".into(),
        allowed: "an image without errors".into(),
        hint: "open the image in an editor, save it again and send that".into(),
    }
}

fn unsupported(words: &str) -> Violation {
    Violation {
        rule: Rule::ContentTypes,
        fact: joined("image is of a kind that cannot be processed", words),
        measured: words.into(),
        allows: "takes images of the common kinds".into(),
        allowed: "a common kind of image".into(),
        hint: "save the image as an 8-bit JPEG, PNG or WebP and send that".into(),
    }
}

fn too_slow(settings: &Settings) -> Violation {
    let allowed = format!("{} s", settings.job_timeout.as_secs_f32());
    bomb(
        format!("image takes more than {allowed} of work"),
        format!("more than {allowed}"),
        format!("takes images that are done within {allowed}"),
        allowed,
    )
}

fn too_much_memory(settings: &Settings) -> Violation {
    let allowed = ByteCount(settings.memory).to_string();
    bomb(
        format!("image takes more than {allowed} of memory"),
        format!("more than {allowed}"),
        format!("takes images that are done within {allowed} of memory"),
        allowed,
    )
}

fn too_long() -> Violation {
    let allowed = ByteCount(FILE_MAX).to_string();
    bomb(
        format!("image becomes larger than {allowed} in its normal form"),
        format!("more than {allowed}"),
        format!("takes images whose normal form has at most {allowed}"),
        allowed,
    )
}

fn bomb(fact: String, measured: String, allows: String, allowed: String) -> Violation {
    let hint = "save the image in a simpler form: smaller, with fewer frames, without extras";
    Violation { rule: Rule::Bomb, fact, measured, allows, allowed, hint: hint.into() }
}

fn joined(fact: &str, words: &str) -> String {
    if words.is_empty() { fact.into() } else { format!("{fact} ({words})") }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;

    fn words(violation: &Violation) -> String {
        format!("{}; {} ({})", violation.fact, violation.allows, violation.rule)
    }

    #[test]
    fn a_fault_of_the_image_becomes_a_violation_and_one_of_the_disk_does_not() {
        let told = |fault| match of_fault(&fault) {
            Error::Refused(violation) => words(&violation),
            other => other.to_string(),
        };
        assert_eq!(
            told(Fault::Truncated("premature end".into())),
            "image ends before it is complete (premature end); takes whole images (truncated)"
        );
        let frames = Fault::Bomb { what: "frames".into(), measured: 100_000, allowed: 1000 };
        assert_eq!(
            told(frames),
            "image has 100000 frames; takes images with at most 1000 frames (bomb)"
        );
        assert!(matches!(of_fault(&Fault::Output(28)), Error::Output(_)));
        assert!(matches!(of_fault(&Fault::Input(5)), Error::Input(_)));
    }

    #[test]
    fn only_an_abort_without_a_panic_is_a_lack_of_memory() {
        let settings = Settings {
            program: "mediafs".into(),
            workers: 1,
            job_timeout: Duration::from_secs(30),
            memory: 1 << 30,
            jobs_per_worker: 1,
        };
        let told =
            |status| words(&of_failure(&Failure::Died(ExitStatus::from_raw(status)), &settings));
        // The worker exits with 101 where a decoder panics, in functions of C's kind, too.
        assert_eq!(
            told(101 << 8),
            "image makes its decoder crash; takes images that decode without an error (corrupt)"
        );
        assert_eq!(
            told(Signal::ABORT.as_raw()),
            "image takes more than 1 GiB of memory; \
             takes images that are done within 1 GiB of memory (bomb)"
        );
    }

    #[test]
    fn a_timed_out_image_is_told_the_time_that_it_had() {
        let settings = Settings {
            program: "mediafs".into(),
            workers: 1,
            job_timeout: Duration::from_secs(30),
            memory: 1 << 30,
            jobs_per_worker: 1,
        };
        assert_eq!(
            words(&of_failure(&Failure::TimedOut, &settings)),
            "image takes more than 30 s of work; takes images that are done within 30 s (bomb)"
        );
    }
}
