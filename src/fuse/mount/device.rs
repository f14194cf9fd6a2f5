//! Mounts the tree: by mount(2) for root, by `fusermount3` for every other user.
//!
//! fuser's own mount is not used: it unmounts the path again when its session ends, and by then that may be another mount.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{getegid, geteuid};

use crate::fuse::error::Error;
use crate::fuse::mount::detach::{HELPER, When, detach};
use crate::fuse::mount::kernel_connection::Connection;
use crate::fuse::mount::mountpoint::Mountpoint;
use crate::fuse::mount::{daemons, guard, mounts};

const DEVICE: &str = "/dev/fuse";
/// The first column of `mount`.
const NAME: &str = "mediafs";

/// Where and how the tree is mounted.
#[derive(Debug, Clone)]
pub struct Settings {
    pub mountpoint: Mountpoint,
    /// Whether users other than the mounting one may use the mount.
    pub allow_other: bool,
    /// How many threads take requests; at least one.
    pub threads: usize,
    pub read_only: bool,
}

/// A mountpoint with the tree on it.
pub struct Attached {
    /// Canonical.
    pub mountpoint: PathBuf,
    device: String,
    /// A connection to this socket finds out which process serves the mount. `None` if the socket could not be made.
    pub listener: Option<UnixListener>,
}

/// Whether the kernel offers FUSE to this process at all.
pub fn check_device() -> Result<(), Error> {
    open_device().map(drop)
}

/// Mounts. Returns the descriptor of `/dev/fuse` that requests come through, and the mount.
pub fn attach(settings: &Settings) -> Result<(OwnedFd, Attached), Error> {
    let mountpoint = settings.mountpoint.path().to_owned();
    let device = if geteuid().is_root() {
        mount_as_root(&mountpoint, settings)?
    } else {
        mount_by_helper(&mountpoint, settings)?
    };
    match mounts::on(&mountpoint) {
        Ok(Some(mount)) => {
            let listener = prepare_for_death(&mount);
            Ok((device, Attached { mountpoint, device: mount.device, listener }))
        }
        Ok(None) => Err(Error::NoMountpoint(mountpoint)),
        Err(source) => Err(Error::Mountpoint { path: mountpoint, source }),
    }
}

/// Starts the guard and announces which process serves the mount. A failure of either is logged; the mount serves without it.
fn prepare_for_death(mount: &mounts::Mount) -> Option<UnixListener> {
    let connection = Connection::of(mount)?;
    if let Err(error) = guard::start(connection) {
        tracing::warn!(
            %error,
            "no guard: if this daemon is killed its clients may wait until the next `mediafs mount` or `umount -f`, \
             as root; /sys/fs/fuse/connections is not mounted, or not for this user"
        );
    }
    let listener = daemons::announce(connection);
    listener.inspect_err(|error| tracing::warn!(%error, "who serves the mount cannot be told")).ok()
}

impl Attached {
    /// Whether the tree is still on its mountpoint: not unmounted, and nothing mounted over it.
    pub fn is_on(&self) -> io::Result<bool> {
        Ok(mounts::on(&self.mountpoint)?.is_some_and(|mount| mount.device == self.device))
    }

    /// Unmounts lazily: the names vanish at once, open files go on until they are closed. Idempotent.
    pub fn detach(&self) -> Result<(), Error> {
        let unknown = |source| Error::Unmount { path: self.mountpoint.clone(), source };
        if self.is_on().map_err(unknown)? { detach(&self.mountpoint, When::AtOnce) } else { Ok(()) }
    }
}

fn open_device() -> Result<File, Error> {
    let opened = OpenOptions::new().read(true).write(true).open(DEVICE);
    let file = opened.map_err(|source| match Errno::from_io_error(&source) {
        // A device node without its kernel module.
        Some(Errno::NOENT | Errno::NXIO | Errno::NODEV) => Error::NoDevice,
        _ => Error::Device(source),
    })?;
    // A container without the device may have an ordinary file of that name, made by a program that wrote to it.
    let is_device = file.metadata().is_ok_and(|found| found.file_type().is_char_device());
    if is_device { Ok(file) } else { Err(Error::NotADevice) }
}

fn mount_as_root(mountpoint: &Path, settings: &Settings) -> Result<OwnedFd, Error> {
    let device = open_device()?;
    let refused = |source| Error::Refused { path: mountpoint.to_owned(), source };
    let mut options = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions",
        device.as_raw_fd(),
        geteuid().as_raw(),
        getegid().as_raw()
    );
    if settings.allow_other {
        options.push_str(",allow_other");
    }
    let options = CString::new(options).map_err(|error| refused(error.into()))?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
    flags.set(MountFlags::RDONLY, settings.read_only);
    rustix::mount::mount(NAME, mountpoint, mounts::KIND, flags, options.as_c_str())
        .map_err(|error| refused(error.into()))?;
    Ok(device.into())
}

/// `fusermount3` mounts and sends the device's descriptor over the socket that `_FUSE_COMMFD` names.
fn mount_by_helper(mountpoint: &Path, settings: &Settings) -> Result<OwnedFd, Error> {
    let unusable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoHelper,
        _ => Error::Helper(error.to_string()),
    };
    let (ours, theirs) = UnixStream::pair().map_err(unusable)?;
    // As the standard input, the socket is inherited by the helper alone, even if another thread starts a program meanwhile.
    let mut helper = Command::new(HELPER)
        .arg("-o")
        .arg(helper_options(settings))
        .arg("--")
        .arg(mountpoint)
        .env("_FUSE_COMMFD", "0")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(unusable)?;
    let device = receive_descriptor(&ours);
    let mut said = String::new();
    if let Some(mut stderr) = helper.stderr.take() {
        stderr.read_to_string(&mut said).map_err(unusable)?;
    }
    helper.wait().map_err(unusable)?;
    match device.map_err(unusable)? {
        Some(device) => Ok(device),
        None if said.contains("user_allow_other") => Err(Error::OtherUsers),
        None => Err(Error::Helper(said.trim().to_owned())),
    }
}

fn helper_options(settings: &Settings) -> String {
    let mut options =
        format!("fsname={NAME},subtype=mediafs,nosuid,nodev,noatime,default_permissions");
    if settings.allow_other {
        options.push_str(",allow_other");
    }
    if settings.read_only {
        options.push_str(",ro");
    }
    options
}

/// Receives one descriptor through the socket. `None` if the other end closes without sending one.
fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut buffers = [IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    #[test]
    fn the_helper_is_given_every_option() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = helper_options(&Settings {
            mountpoint: Mountpoint::prepare(directory.path()).expect("an empty directory"),
            allow_other: true,
            threads: 1,
            read_only: true,
        });
        assert_eq!(
            options,
            "fsname=mediafs,subtype=mediafs,nosuid,nodev,noatime,default_permissions,allow_other,ro"
        );
    }

    #[test]
    fn a_descriptor_comes_through_the_socket_and_a_closed_socket_brings_none() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let file = tempfile::tempfile().expect("a file");
        let descriptors = [std::os::fd::AsFd::as_fd(&file)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let byte = [io::IoSlice::new(&[0])];
        sendmsg(&theirs, &byte, &mut control, SendFlags::empty()).expect("sent");
        assert!(receive_descriptor(&ours).expect("received").is_some());
        drop(theirs);
        assert!(receive_descriptor(&ours).expect("closed").is_none());
    }
}
