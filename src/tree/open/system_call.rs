//! The system call that a request comes from. The kernel looks a name up before it makes a directory, and the request of that
//! lookup does not say so.

use std::fs;
use std::thread;

/// `mkdir` and `mkdirat`, as `/proc` numbers them; of 32-bit programs as well, where no other call that looks a name up has that
/// number.
const MAKE_DIRECTORY: &[&str] = if cfg!(target_arch = "x86_64") {
    &["83", "258", "39", "296"]
} else if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) {
    &["34"]
} else {
    &[]
};

/// How often a thread is looked at until it waits for its answer. Beyond that its call is unknown.
const LOOKS: usize = 10_000;

/// Whether a thread that waits for an answer has called `mkdir` or `mkdirat`. False if that cannot be seen: the thread is of
/// another pid namespace, or this process may not trace it (`ptrace(2)`).
pub fn makes_directory(tid: u32) -> bool {
    let number = (tid != 0).then(|| call_of(tid)).flatten();
    number.is_some_and(|number| MAKE_DIRECTORY.contains(&number.as_str()))
}

/// The number at the start of `/proc/<tid>/syscall` (`proc_pid_syscall(5)`).
fn call_of(tid: u32) -> Option<String> {
    let path = format!("/proc/{tid}/syscall");
    for _ in 0..LOOKS {
        let text = fs::read_to_string(&path).ok()?;
        match text.split_whitespace().next() {
            // The thread has sent its request, and is on its way to sleep.
            Some("running") => thread::yield_now(),
            number => return number.map(str::to_owned),
        }
    }
    None
}
