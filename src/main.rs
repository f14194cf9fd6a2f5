//! The `mediafs` program: everything it does is in `mediafs::cli`.

fn main() {}
