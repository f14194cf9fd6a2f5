//! Processes: which one a request comes from, whether it has ended, and the permissions of its groups.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};

use crate::library::limit::permission::Person;
use crate::tree::request::Caller;
use words::author::Author;

/// How the process of a thread is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// Requests carry thread ids of this machine.
    Kernel,
    /// Every thread id is a process of its own that never ends, for trees without a kernel.
    Simulated,
}

/// Guards the living owners by their thread group: all handles of a process share one pidfd. Never held across a system call.
static OWNERS: Mutex<BTreeMap<u32, Weak<Process>>> = Mutex::new(BTreeMap::new());

/// A thread group. Its pidfd tells it from a later one with the same number.
#[derive(Debug)]
pub struct Process {
    tgid: u32,
    pidfd: Option<OwnedFd>,
}

/// The owner of a draft.
#[derive(Debug, Clone)]
pub enum Owner {
    Process(Arc<Process>),
    /// Every process that holds the handle: the request carried no usable thread id (write-back, a foreign pid namespace).
    Handle,
}

impl Processes {
    /// The thread group of a thread; `None` if there is no such thread.
    pub fn group(self, tid: u32) -> Option<u32> {
        match (self, tid) {
            (_, 0) => None,
            (Self::Simulated, tid) => Some(tid),
            (Self::Kernel, tid) if known(tid).is_some() => Some(tid),
            (Self::Kernel, tid) => open_pidfd(tid).map(|_| tid).or_else(|| written_group(tid)),
        }
    }

    /// The supplementary groups of a thread.
    fn groups(self, tid: u32) -> Vec<u32> {
        match (self, tid) {
            (_, 0) | (Self::Simulated, _) => Vec::new(),
            (Self::Kernel, tid) => groups(tid).unwrap_or_default(),
        }
    }

    /// The caller with its groups. No request carries the supplementary ones: they are read from the process once they matter.
    pub fn person(self, who: Caller) -> Person<impl Fn(u32) -> bool> {
        let Caller { uid, gid, tid } = who;
        let groups = OnceCell::new();
        let is_member = move |group| groups.get_or_init(|| self.groups(tid)).contains(&group);
        Person { uid, gid, is_member }
    }

    /// Whether a thread has ended.
    pub fn has_ended(self, tid: u32) -> bool {
        let pid = i32::try_from(tid).ok().and_then(Pid::from_raw);
        self == Self::Kernel && pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
    }

    /// The sender of a request, as a refusal names it.
    pub fn author(self, who: Caller) -> Author {
        Author { uid: who.uid, pid: self.group(who.tid).unwrap_or_default() }
    }

    /// Whether a close by the caller counts as the owner's: the owner closes, or has ended.
    pub fn closes_for(self, who: Caller, owner: &Owner) -> bool {
        owner.is(self.group(who.tid)) || owner.is_gone()
    }

    /// The owner of a draft that a thread begins.
    pub fn owner(self, thread: u32) -> Owner {
        let process = match (self, thread) {
            (_, 0) => None,
            (Self::Simulated, tgid) => Some(Arc::new(Process { tgid, pidfd: None })),
            (Self::Kernel, thread) => known(thread).or_else(|| leader(thread)).or_else(|| {
                let tgid = written_group(thread)?;
                Some(known(tgid).unwrap_or_else(|| Process::begin(tgid, open_pidfd(tgid))))
            }),
        };
        process.map_or(Owner::Handle, Owner::Process)
    }
}

impl Owner {
    /// Whether the thread group is this owner, alive.
    pub fn is(&self, tgid: Option<u32>) -> bool {
        match (self, tgid) {
            (Self::Process(process), Some(tgid)) => process.tgid == tgid && !process.ended(),
            _ => false,
        }
    }

    /// Whether the owner has ended: then any process may close in its stead.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Process(process) => process.ended(),
            Self::Handle => true,
        }
    }

    /// This process as the sender of a user's bytes.
    pub fn author(&self, uid: u32) -> Author {
        let pid = match self {
            Self::Process(process) => process.tgid,
            Self::Handle => 0,
        };
        Author { uid, pid }
    }
}

impl Process {
    /// Makes a process known to all handles that it opens.
    fn begin(tgid: u32, pidfd: Option<OwnedFd>) -> Arc<Self> {
        let process = Arc::new(Self { tgid, pidfd });
        OWNERS.lock().insert(tgid, Arc::downgrade(&process));
        process
    }

    /// A pidfd becomes readable when the last thread has ended. A process that is being killed has not ended while its
    /// files are closed: its own flushes count as its own.
    fn ended(&self) -> bool {
        let Some(pidfd) = &self.pidfd else { return false };
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut fds, Some(&at_once)), Ok(ready) if ready > 0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut owners = OWNERS.lock();
        // Another one with this number may have been made known since.
        if owners.get(&self.tgid).is_some_and(|owner| owner.strong_count() == 0) {
            owners.remove(&self.tgid);
        }
    }
}

/// The living process of this number, if it owns anything.
fn known(tgid: u32) -> Option<Arc<Process>> {
    let owner = OWNERS.lock().get(&tgid).and_then(Weak::upgrade);
    owner.filter(|process| !process.ended())
}

/// The process of a thread, if the thread is its leader. The kernel gives no pidfd for other threads (`pidfd_open(2)`), and
/// asking costs a sixth of reading `/proc`.
fn leader(tid: u32) -> Option<Arc<Process>> {
    open_pidfd(tid).map(|pidfd| Process::begin(tid, Some(pidfd)))
}

fn open_pidfd(tgid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(tgid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// `Tgid:` of `/proc/<tid>/status` (`proc_pid_status(5)`); the line stands in the first few hundred bytes.
fn written_group(tid: u32) -> Option<u32> {
    let mut path = String::with_capacity(24);
    write!(path, "/proc/{tid}/status").ok()?;
    let mut buffer = [0; 1024];
    let length = std::fs::File::open(path).ok()?.read(&mut buffer).ok()?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    let line = text.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// `Groups:` of the same file: 65,536 at most, of eleven bytes each.
fn groups(tid: u32) -> Option<Vec<u32>> {
    const MAX_BYTES: u64 = 1 << 20;
    let mut text = String::new();
    let file = std::fs::File::open(format!("/proc/{tid}/status")).ok()?;
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Groups:"))?;
    Some(line.split_whitespace().filter_map(|gid| gid.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_process_are_one_owner() {
        let main = Processes::Kernel.owner(std::process::id());
        let inside = std::thread::scope(|scope| {
            let tid = scope.spawn(|| {
                let tid = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
                Processes::Kernel.group(tid)
            });
            tid.join().expect("a thread")
        });
        assert_eq!(inside, Some(std::process::id()));
        assert!(main.is(inside));
    }

    #[test]
    fn an_owner_that_ended_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let owner = Processes::Kernel.owner(child.id());
        assert!(!owner.is_gone());
        child.kill().expect("killed");
        child.wait().expect("reaped");
        assert!(owner.is_gone());
        assert!(!owner.is(Some(child.id())));
    }

    #[test]
    fn all_handles_of_a_process_share_one_pidfd() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let [one, two] = [(), ()].map(|()| match Processes::Kernel.owner(child.id()) {
            Owner::Process(process) => process,
            Owner::Handle => panic!("it is there"),
        });
        child.kill().expect("killed");
        child.wait().expect("reaped");
        assert!(Arc::ptr_eq(&one, &two));
        assert!(known(child.id()).is_none(), "it has ended");
        drop((one, two));
        assert!(!OWNERS.lock().contains_key(&child.id()));
    }

    #[test]
    fn a_request_without_a_thread_has_no_process() {
        assert_eq!(Processes::Kernel.group(0), None);
        assert!(matches!(Processes::Kernel.owner(0), Owner::Handle));
    }
}
