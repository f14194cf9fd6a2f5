//! The capabilities that are agreed with the kernel before the first request (`FUSE_INIT`).

use fuser::{InitFlags, KernelConfig, Version};

/// The capabilities that every session asks for, one by one: the kernel refuses a request as a whole if it lacks one of them.
///
/// - `ATOMIC_O_TRUNC`: `O_TRUNC` comes with `open`, so that a truncation belongs to a handle.
/// - `PARALLEL_DIROPS`: lookups in one directory do not wait for each other.
/// - `HANDLE_KILLPRIV_V2`: no file here has set-id bits or capabilities, so that no write needs to clear them.
/// - `DO_READDIRPLUS`: entries are listed with their attributes. A program that walks a tree reads a directory to its end and
///   then looks at each entry, which would be a request each.
///
/// Left out: the writeback cache, with which write errors would reach no program, and remote locks, because the kernel's own
/// are right on one host.
const CAPABILITIES: [InitFlags; 4] = [
    InitFlags::FUSE_ATOMIC_O_TRUNC,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_DO_READDIRPLUS,
];
/// How many releases and reads ahead may be under way. The kernel's 16 would be taken by as many releases that judge what no flush has
/// judged; many more reads would keep other requests waiting.
const BACKGROUND: u16 = 64;
/// The protocol that knows `FOPEN_NOFLUSH` (Linux 5.16).
const NOFLUSH_SINCE: Version = Version(7, 35);

/// The kernel's answer.
#[derive(Debug, Clone, Copy)]
pub struct Agreed {
    /// The kernel can be told to send no flush for a file.
    pub spare_flush: bool,
    /// The kernel can read files by itself.
    pub passthrough: bool,
    knows: InitFlags,
}

impl Agreed {
    /// The state before `FUSE_INIT`.
    pub fn nothing() -> Self {
        Self { spare_flush: false, passthrough: false, knows: InitFlags::empty() }
    }

    /// Whether the kernel opens files by itself after one ENOSYS.
    pub fn spares_open(self) -> bool {
        self.knows.contains(InitFlags::FUSE_NO_OPEN_SUPPORT)
    }

    /// Whether the kernel opens directories by itself after one ENOSYS. It then caches their listings.
    pub fn spares_opendir(self) -> bool {
        self.knows.contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT)
    }
}

/// Asks for the capabilities of every session, and for one more.
pub fn capabilities(config: &mut KernelConfig, more: Option<InitFlags>) -> Agreed {
    for capability in CAPABILITIES.into_iter().chain(more) {
        if config.add_capabilities(capability).is_err() {
            tracing::warn!(?capability, "the kernel lacks a capability");
        }
    }
    // Only 0 is refused.
    let _ = config.set_max_background(BACKGROUND);
    // A depth of one: the blobs lie on no stacked filesystem, and an overlay may be mounted over this one.
    let passthrough = config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).is_ok()
        && config.set_max_stack_depth(1).is_ok();
    let spare_flush = config.kernel_abi() >= NOFLUSH_SINCE;
    Agreed { spare_flush, passthrough, knows: config.capabilities() }
}
