//! The `mediafs` program: everything it does is in `mediafs::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let is_worker = arguments.next().as_deref() == Some("worker");
    let memory = arguments.next().and_then(|memory| memory.parse().ok());
    match memory {
        Some(memory) if is_worker => mediafs::pipeline::worker::serve(memory),
        _ => ExitCode::FAILURE,
    }
}
