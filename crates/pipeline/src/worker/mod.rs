//! Worker processes, in which untrusted image bytes are decoded.
//!
//! A worker is this program again, started by exec, with a socket for standard input and nothing else open. It is sent a job
//! with two descriptors and answers with an outcome. If it dies, hangs or answers nonsense, the file of that job is refused
//! and another worker takes its place.
//!
//! | limit | value | past it |
//! |---|---|---|
//! | live workers | `Settings::workers` | callers wait |
//! | waiting callers | [`process_pool::WAITING_MAX`] | [`process_pool::Error::Busy`] at once |
//! | time in the queue | twice `Settings::job_timeout` | [`process_pool::Error::Busy`] |
//! | time of a job | `Settings::job_timeout` | killed; the file counts as a bomb |
//! | CPU time of a job | `Settings::job_timeout` and a second | killed by the kernel; the file counts as a bomb |
//! | time to start | [`process::START_TIMEOUT`] | killed; [`process_pool::Error::NoWorker`] |
//! | jobs of one worker | `Settings::jobs_per_worker` | replaced |
//! | address space | `Settings::memory` | the allocation fails; the file counts as a bomb |
//! | bytes written to one file | [`serve::FILE_MAX`] | killed by the kernel; the file counts as a bomb |
//! | open descriptors | [`serve::DESCRIPTORS_MAX`] | the open fails |
//! | a message | [`protocol::MESSAGE_MAX`] | nonsense: the worker is replaced |

pub mod process;
pub mod process_pool;
pub mod protocol;
pub mod serve;
