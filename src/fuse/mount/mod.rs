//! The mount itself: the mountpoint, the mount(2) and umount(2) calls, and the end of a dead daemon's mount.

pub mod daemons;
pub mod detach;
pub mod device;
pub mod guard;
pub mod kernel_connection;
pub mod mountpoint;
pub mod mounts;
pub mod probe;
