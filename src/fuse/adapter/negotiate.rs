//! What is agreed with the kernel before the first request.
//! Does not know the requests.

use fuser::{InitFlags, KernelConfig, Version};

/// Asked for where the kernel has them, one by one: a single refused bit would refuse all.
/// `O_TRUNC` comes with `open`, so that a truncation belongs to a handle; lookups in one directory do not wait for each other.
/// No file here has set-id bits or capabilities, so that a write need not ask for them (`HANDLE_KILLPRIV_V2`).
/// What a directory lists comes with its attributes: whoever walks a tree reads a directory to its end before it looks at
/// what it lists, and would ask for each entry then.
/// Not asked for: the writeback cache (write errors would reach nobody) and remote locks (the kernel's own are right here).
const CAPABILITIES: [InitFlags; 4] = [
    InitFlags::FUSE_ATOMIC_O_TRUNC,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_DO_READDIRPLUS,
];
/// The protocol that knows `FOPEN_NOFLUSH` (Linux 5.16).
const NOFLUSH_SINCE: Version = Version(7, 35);

/// What the kernel has agreed to.
#[derive(Debug, Clone, Copy)]
pub struct Agreed {
    /// It can be told to spare the flush of a file.
    pub spare_flush: bool,
    /// It can read files by itself.
    pub passthrough: bool,
    knows: InitFlags,
}

impl Agreed {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self { spare_flush: false, passthrough: false, knows: InitFlags::empty() }
    }

    /// Whether it opens files by itself, once it is told that nobody else does.
    pub fn spares_open(self) -> bool {
        self.knows.contains(InitFlags::FUSE_NO_OPEN_SUPPORT)
    }

    /// The same of directories: it then keeps what they list.
    pub fn spares_opendir(self) -> bool {
        self.knows.contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT)
    }
}

/// Asks for the capabilities, and for more of them.
pub fn capabilities(config: &mut KernelConfig, more: &[InitFlags]) -> Agreed {
    for &capability in CAPABILITIES.iter().chain(more) {
        if config.add_capabilities(capability).is_err() {
            tracing::warn!(?capability, "the kernel lacks a capability");
        }
    }
    // The files that are passed through lie on no stacked filesystem themselves, and an overlay may lie on this one.
    let passthrough = config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok()
        && config.set_max_stack_depth(1).is_ok();
    let spare_flush = config.kernel_abi() >= NOFLUSH_SINCE;
    Agreed { spare_flush, passthrough, knows: config.capabilities() }
}
