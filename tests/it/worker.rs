//! Worker processes: the real ones, and programs that misbehave in every way that a worker can.

// Clippy's `allow-unwrap-in-tests` does not cover helper functions.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pipeline::candidate::Candidate;
use pipeline::job::{Job, Limits, Outcome};
use pipeline::worker::process::{Failure, Worker};
use pipeline::worker::process_pool::{self as pool, Pool};
use pipeline::worker::process_pool::{PoolStatus, Settings};
use pipeline::worker::protocol::{self, Ready, Request};
use pipeline::{Error, Pipeline};
use words::media_type::Format;
use words::refusal::Rule;
use words::rule::{Normal, Rules};
use words::variant::Variant;

const MEMORY: u64 = 1 << 30;

const PNG: &[u8] =
    b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\x28\0\0\0\x28\x08\x02\0\0\0\0\0\0\0\0\0\0\0IDAT";

fn settings(program: impl Into<PathBuf>) -> Settings {
    Settings {
        program: program.into(),
        workers: 2,
        job_timeout: Duration::from_secs(60),
        memory: MEMORY,
        jobs_per_worker: 100,
    }
}

fn mediafs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_mediafs"))
}

fn script(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/workers");
    Path::new(folder).join(name).with_extension("sh")
}

/// A job. These tests ask whether there is an answer, not which.
fn job() -> Job {
    let normal = Normal::default();
    Job::Refine { format: Format::Png, normal, limits: Limits::default() }
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn run(pool: &Pool) -> Result<(), pool::Error> {
    pool.run(&job(), &file_of(PNG), &file_of(b"")).map(pool::Answer::accept)
}

fn refine(settings: Settings) -> Error {
    refine_bytes(settings, PNG)
}

fn refine_bytes(settings: Settings, bytes: &[u8]) -> Error {
    let pipeline = Pipeline::start(settings).unwrap();
    let length = u64::try_from(bytes.len()).unwrap();
    let rules = Rules::image();
    let candidate = Candidate::identify(file_of(bytes), length, None).unwrap();
    let admitted = candidate.admit(&rules).unwrap();
    pipeline.refine(admitted, &rules, tempfile::tempfile).unwrap_err()
}

fn rule(error: &Error) -> Option<Rule> {
    match error {
        Error::Refused(violation) => Some(violation.rule),
        _ => None,
    }
}

#[test]
fn a_worker_is_started_once_and_used_again() {
    let pool = Pool::start(settings(mediafs())).unwrap();
    assert_eq!(pool.status(), PoolStatus::default());
    for _ in 0..5 {
        run(&pool).unwrap();
    }
    assert_eq!(pool.status(), PoolStatus { live: 1, spawned: 1, ..PoolStatus::default() });
}

#[test]
fn a_warm_pool_starts_no_worker_for_the_first_image() {
    let pool = Pool::start(settings(mediafs())).unwrap();
    pool.warm().unwrap();
    let one = PoolStatus { live: 1, spawned: 1, ..PoolStatus::default() };
    assert_eq!(pool.status(), one);
    run(&pool).unwrap();
    pool.warm().unwrap();
    assert_eq!(pool.status(), one);
}

#[test]
fn a_worker_is_replaced_after_its_number_of_jobs() {
    let pool = Pool::start(Settings { jobs_per_worker: 2, ..settings(mediafs()) }).unwrap();
    for _ in 0..5 {
        run(&pool).unwrap();
    }
    assert_eq!(pool.status(), PoolStatus { live: 1, spawned: 3, ..PoolStatus::default() });
}

#[test]
fn many_callers_share_few_workers() {
    let pool = Pool::start(settings(mediafs())).unwrap();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..16).map(|_| scope.spawn(|| run(&pool))).collect();
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
    });
    let status = pool.status();
    assert!(status.spawned <= 2 && status.live <= 2, "{status:?}");
    assert_eq!((status.busy, status.waiting, status.killed), (0, 0, 0));
}

/// rav1d 1.1 panics in functions of C's kind where AV1 is damaged, which would abort as an allocation that fails does.
#[test]
fn a_decoder_that_panics_makes_its_file_corrupt_and_no_bomb() {
    let mut bytes = fs::read(samples::path("photos/still.avif")).unwrap();
    bytes[20_610] = 181;
    assert_eq!(rule(&refine_bytes(settings(mediafs()), &bytes)), Some(Rule::Corrupt));
}

#[test]
fn a_worker_that_crashes_refuses_its_file_as_corrupt() {
    assert_eq!(rule(&refine(settings(script("crash")))), Some(Rule::Corrupt));
}

#[test]
fn a_worker_that_runs_out_of_memory_refuses_its_file_as_a_bomb() {
    assert_eq!(rule(&refine(settings(script("abort")))), Some(Rule::Bomb));
}

#[test]
fn a_worker_that_hangs_is_killed_and_refuses_its_file_as_a_bomb() {
    let job_timeout = Duration::from_millis(200);
    let error = refine(Settings { job_timeout, ..settings(script("hang")) });
    assert_eq!(rule(&error), Some(Rule::Bomb));
}

#[test]
fn a_worker_that_answers_nonsense_refuses_its_file_as_corrupt() {
    for name in ["garbage", "deaf", "liar"] {
        assert_eq!(rule(&refine(settings(script(name)))), Some(Rule::Corrupt), "{name}");
    }
}

#[test]
fn a_worker_that_lied_is_given_no_other_file() {
    let pipeline = Pipeline::start(settings(script("liar"))).unwrap();
    let original = file_of(PNG);
    let variant = Variant::parse("w200.png").unwrap();
    let render = || pipeline.render(&original, Format::Png, variant, None, file_of(b""));
    for _ in 0..2 {
        assert_eq!(rule(&render().unwrap_err()), Some(Rule::Corrupt));
    }
    let status = PoolStatus { spawned: 2, killed: 2, ..PoolStatus::default() };
    assert_eq!(pipeline.status(), status);
}

#[test]
fn a_lost_worker_is_replaced() {
    let pool = Pool::start(settings(script("crash"))).unwrap();
    for _ in 0..2 {
        assert!(matches!(run(&pool), Err(pool::Error::Failed(Failure::Died(_)))));
    }
    assert_eq!(pool.status(), PoolStatus { spawned: 2, killed: 2, ..PoolStatus::default() });
}

#[test]
fn a_program_that_is_no_worker_refuses_no_file() {
    for program in [script("unready"), script("older"), PathBuf::from("/nonexistent/mediafs")] {
        let error = refine(settings(&program));
        assert!(matches!(error, Error::NoWorker(_)), "{}: {error:?}", program.display());
    }
}

#[test]
fn a_caller_waits_no_longer_than_the_queue_allows() {
    let job_timeout = Duration::from_millis(200);
    let pool = Pool::start(Settings { workers: 1, job_timeout, ..settings(script("hang")) });
    let pool = pool.unwrap();
    let errors: Vec<pool::Error> = thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| run(&pool))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap().unwrap_err()).collect()
    });
    let count = |wanted: fn(&pool::Error) -> bool| errors.iter().filter(|one| wanted(one)).count();
    let busy = count(|error| matches!(error, pool::Error::Busy));
    let hung = count(|error| matches!(error, pool::Error::Failed(Failure::TimedOut)));
    assert_eq!(busy + hung, 8, "{errors:?}");
    assert!(busy > 0 && hung > 0, "{errors:?}");
    assert_eq!(pool.status().waiting, 0);
}

#[test]
fn a_full_disk_is_no_fault_of_the_file() {
    let pipeline = Pipeline::start(settings(mediafs())).unwrap();
    let length = u64::try_from(PNG.len()).unwrap();
    let rules = Rules::image();
    let admitted = Candidate::identify(file_of(PNG), length, None).unwrap().admit(&rules).unwrap();
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    let error = pipeline.refine(admitted, &rules, full).unwrap_err();
    assert!(
        matches!(&error, Error::Output(cause) if cause.kind() == io::ErrorKind::StorageFull),
        "{error:?}"
    );
}

#[test]
fn a_file_field_starts_no_worker() {
    let pipeline = Pipeline::start(settings("/nonexistent/mediafs")).unwrap();
    let length = u64::try_from(PNG.len()).unwrap();
    let rules = Rules::file();
    let admitted = Candidate::identify(file_of(PNG), length, None).unwrap().admit(&rules).unwrap();
    let refined = pipeline.refine(admitted, &rules, || Err(io::ErrorKind::Other.into())).unwrap();
    assert!(refined.is_untouched());
    assert_eq!(refined.digest(), words::digest::Digest::of(PNG));
    assert_eq!(pipeline.status().spawned, 0);
}

/// A worker that is ready and belongs to no pool.
fn bare() -> (Child, OwnedFd) {
    let (ours, theirs) = protocol::connection().unwrap();
    let mut command = Command::new(mediafs());
    command.arg("worker").arg(MEMORY.to_string()).env_clear();
    let child = command.stdin(theirs).stdout(Stdio::null()).spawn().unwrap();
    drop(command);
    protocol::receive::<Ready>(&ours).unwrap();
    (child, ours)
}

#[test]
fn a_worker_ends_when_the_daemon_hangs_up() {
    let (mut child, socket) = bare();
    drop(socket);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_worker_dies_with_the_thread_that_started_it() {
    let (started, worker) = mpsc::channel();
    thread::spawn(move || started.send(bare()).unwrap()).join().unwrap();
    let (mut child, _open) = worker.recv().unwrap();
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_worker_goes_before_the_daemon_when_memory_runs_out() {
    let (mut child, socket) = bare();
    let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", child.id())).unwrap();
    assert_eq!(score.trim(), "1000");
    drop(socket);
    child.wait().unwrap();
}

#[test]
fn a_signal_to_the_daemons_group_does_not_reach_its_workers() {
    let worker = Worker::spawn(mediafs(), MEMORY).unwrap();
    let group = rustix::process::getpgid(Some(worker.pid())).unwrap();
    assert_eq!(group, worker.pid());
    assert_ne!(group, rustix::process::getpgrp());
}

#[test]
fn a_worker_lives_within_its_limits() {
    let (mut child, socket) = bare();
    let (input, output) = (file_of(PNG), file_of(b""));
    let request = Request { job: job(), cpu_secs: 7 };
    protocol::send(&socket, &request, &[input.as_fd(), output.as_fd()]).unwrap();
    protocol::receive::<Outcome>(&socket).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(limit("Max address space"), MEMORY.to_string());
    let cpu_secs: u64 = limit("Max cpu time").parse().unwrap();
    assert!((7..30).contains(&cpu_secs), "{cpu_secs}");
    assert_eq!(limit("Max core file size"), "0");
    assert_eq!(limit("Max open files"), "32");
    assert_eq!(limit("Max file size"), (1_u64 << 30).to_string());
    drop(socket);
    child.wait().unwrap();
}
