//! The protocol between pool and worker: one JSON message in a packet, with the descriptors of a job beside it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::job::Job;

/// The longest message in bytes, in either direction.
pub const MESSAGE_MAX: usize = 64 << 10;

/// Raised whenever `Job` or `Outcome` changes: a daemon and a worker of different builds must not work together.
pub const VERSION: u32 = 1;

/// The first message of a worker, which is then ready for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    pub version: u32,
}

/// A job for a worker. The descriptors of its input and output lie beside the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub job: Job,
    /// The CPU time that the job may take, in seconds.
    pub cpu_secs: u64,
}

/// The two ends of a new connection; neither is inherited by an exec.
pub fn connection() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Sends one message with up to two descriptors.
pub fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Error> {
    let bytes = serde_json::to_vec(message).map_err(Error::Garbage)?;
    if bytes.len() > MESSAGE_MAX {
        return Err(Error::TooLong);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Error::Descriptors);
    }
    let parts = [IoSlice::new(&bytes)];
    retry_on_intr(|| sendmsg(socket.as_fd(), &parts, &mut control, SendFlags::NOSIGNAL))
        .map_err(io::Error::from)?;
    Ok(())
}

/// Waits for one message with its descriptors. Errors: [`Error::Closed`] after the other side has ended.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> Result<(T, Vec<OwnedFd>), Error> {
    let mut bytes = vec![0; MESSAGE_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        recvmsg(socket.as_fd(), &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })
    .map_err(io::Error::from)?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = descriptors.flatten().collect();
    if received.bytes == 0 {
        return Err(Error::Closed);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(Error::TooLong);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(Error::Descriptors);
    }
    let message = bytes.get(..received.bytes).unwrap_or_default();
    Ok((serde_json::from_slice(message).map_err(Error::Garbage)?, descriptors))
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the other side closed the connection")]
    Closed,
    #[error("a message is longer than {MESSAGE_MAX} bytes")]
    TooLong,
    #[error("a message does not carry the descriptors that it should")]
    Descriptors,
    #[error("a message is not in the protocol's words")]
    Garbage(#[source] serde_json::Error),
    #[error("the worker speaks version {0} of the protocol and this daemon version {VERSION}")]
    Version(u32),
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (left, right) = connection().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"bytes").unwrap();
        send(&left, &Ready { version: 7 }, &[file.as_fd(), file.as_fd()]).unwrap();
        let (message, descriptors) = receive::<Ready>(&right).unwrap();
        assert_eq!((message, descriptors.len()), (Ready { version: 7 }, 2));
        let mut copy = File::from(descriptors.into_iter().next().unwrap());
        let mut text = String::new();
        copy.rewind().unwrap();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes");
    }

    #[test]
    fn a_closed_connection_a_long_message_and_garbage_are_told_apart() {
        let (left, right) = connection().unwrap();
        send(&left, &"garbage", &[]).unwrap();
        assert!(matches!(receive::<Ready>(&right), Err(Error::Garbage(_))));
        assert!(matches!(send(&left, &"x".repeat(MESSAGE_MAX), &[]), Err(Error::TooLong)));
        rustix::net::send(&left, &vec![b'x'; MESSAGE_MAX + 1], SendFlags::empty()).unwrap();
        assert!(matches!(receive::<Ready>(&right), Err(Error::TooLong)));
        drop(left);
        assert!(matches!(receive::<Ready>(&right), Err(Error::Closed)));
    }
}
