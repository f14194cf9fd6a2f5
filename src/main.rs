//! The `mediafs` program: everything it does is in `mediafs::cli`.

fn main() -> std::process::ExitCode {
    mediafs::cli::main()
}
