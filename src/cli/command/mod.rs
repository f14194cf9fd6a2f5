//! The commands, a file each.

pub mod attach;
pub mod check_config;
pub mod gc;
pub mod guard;
pub mod init;
pub mod mount;
pub mod orphans;
pub mod probe;
pub mod reading;
pub mod refused;
pub mod restore;
pub mod show;
pub mod status;
pub mod try_files;
pub mod unmount;
